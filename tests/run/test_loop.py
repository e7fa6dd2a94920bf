"""The loop: its calls of clock, source and sink, and their order."""

from __future__ import annotations

import pytest

from decoderd.checkpoint import Encoder
from decoderd.clock import Stepped, Unpaced
from decoderd.errors import NumericalError, StoreError
from decoderd.rng import Stream
from decoderd.run import loop
from decoderd.run.scripted_inputs import ScriptedInputs
from decoderd.session.inputs import consume
from decoderd.session.rest_of_bin import rest_of_bin
from decoderd.session.step import advance
from decoderd.wire import codec, inputs
from tests import protocols
from tests.protocols import given, lasting, outside


class Sink:
    """Keeps the calls and messages."""

    def __init__(self, fail_at=None):
        self.calls, self.messages, self.fail_at = [], [], fail_at

    def put(self, messages, tick):
        self.calls.append(("put", tick))
        assert [body for _, _, body in messages] == [codec.encode(payload) for _, payload, _ in messages]
        self.messages += [(topic, payload) for topic, payload, _ in messages]

    def journal(self, tick, place, body):
        self.calls.append(("journal", tick, place, inputs.parse(codec.decode(body))))

    def timed(self, late_ns, busy_ns):
        assert late_ns >= 0
        assert busy_ns >= 0
        self.calls.append(("timed",))

    def settle(self, state):
        self.calls.append(("settle", state.tick))
        if state.tick == self.fail_at:
            raise StoreError("no room")


class Paced(Stepped):
    paced = True


def begun():
    return protocols.begun(lasting(0.5))


def test_a_session_runs_to_its_end_as_steps_give():
    session, state = begun()
    sink = Sink()
    last = loop.run(session, state, Unpaced(), sink)
    stepped = protocols.turned(session, state)
    assert last.progress.done
    assert sink.messages == stepped.messages
    assert sink.calls == [call for tick in range(50) for call in (("put", tick), ("settle", tick + 1))]


def test_granted_ticks_in_any_portions_make_the_same_session():
    session, state = begun()
    whole = protocols.turned(session, state).messages
    for portions in ([50], [1] * 50, [7, 13, 1, 29], [10, 100]):
        sink, now, clock = Sink(), state, Stepped()
        for ticks in portions:
            clock.grant(ticks)
            now = loop.run(session, now, clock, sink)
        assert now.progress.done
        assert sink.messages == whole


def test_it_stops_once_ended_is_true():
    session, state = begun()
    sink = Sink()
    last = loop.run(session, state, Unpaced(), sink, ended=lambda state: state.tick == 17)
    assert last.tick == 17
    assert sink.calls[-1] == ("settle", 17)


def test_only_paced_ticks_are_timed():
    session, state = begun()
    paced, unpaced = Sink(), Sink()
    loop.run(session, state, Paced(20), paced)
    loop.run(session, state, Stepped(20), unpaced)
    assert [call[0] for call in paced.calls] == ["put", "timed", "settle"] * 20
    assert ("timed",) not in unpaced.calls


def test_what_a_first_tick_needs_is_there_before_the_clock_starts(monkeypatch):
    session, state = begun()
    drawn, draw = [], Stream._draw

    def noted(stream, *place):
        drawn.append(stream.name)
        draw(stream, *place)

    monkeypatch.setattr(Stream, "_draw", noted)

    class Started(Paced):
        def start(self, tick):
            drawn.append("start")

    sink = Sink()
    loop.run(session, state, Started(5), sink)
    assert drawn[-1] == "start"
    assert "population/spikes" in drawn
    assert sink.messages == protocols.turned(*begun(), ticks=5).messages


def test_what_a_first_input_needs_is_there_before_the_clock_starts(monkeypatch):
    consumed = []

    def noted(session, state, given):
        consumed.append((given.op, clock.started))
        return consume(session, state, given)

    class Noting(Paced):
        started = False

        def start(self, tick):
            self.started = True

    monkeypatch.setattr(loop, "consume", noted)
    clock, sink = Noting(), Sink()
    clock.grant(1000)
    session, state = begun()
    loop.run(session, state, clock, sink)
    assert consumed == [("perturb", False)]
    assert sink.messages == protocols.turned(*begun()).messages


def test_a_session_that_is_over_does_nothing():
    session, state = begun()
    over = loop.run(session, state, Unpaced(), Sink())
    sink = Sink()
    assert loop.run(session, over, Unpaced(), sink) is over
    assert sink.calls == []


def test_a_sink_that_fails_ends_the_loop():
    session, state = begun()
    sink = Sink(fail_at=9)
    with pytest.raises(StoreError, match="no room"):
        loop.run(session, state, Unpaced(), sink)
    assert sink.calls[-1] == ("settle", 9)


def test_inputs_are_journalled_before_the_tick_that_consumes_them():
    start, go = {"op": "task", "event": "start"}, {"op": "task", "event": "go", "target": [0.05, 0.0]}
    at = {3: given(start, go), 8: given({"op": "task", "event": "end"})}
    session, state = protocols.begun(outside())
    sink = Sink()
    loop.run(session, state, Stepped(10), sink, ScriptedInputs(at))
    journalled = [call for call in sink.calls if call[0] == "journal"]
    assert journalled == [("journal", 3, 0, at[3][0]), ("journal", 3, 1, at[3][1]), ("journal", 8, 0, at[8][0])]
    assert sink.calls.index(("journal", 3, 1, at[3][1])) < sink.calls.index(("put", 3))
    assert (
        sink.messages
        == protocols.turned(session, state, {3: [start, go], 8: [{"op": "task", "event": "end"}]}, 10).messages
    )


def test_refused_inputs_are_reported_and_left_out():
    start, end = {"op": "task", "event": "start"}, {"op": "task", "event": "end"}
    refused = []
    source = ScriptedInputs({3: given(end, start, start, end)}, lambda tick, why: refused.append((tick, str(why))))
    session, state = protocols.begun(outside())
    sink = Sink()
    loop.run(session, state, Stepped(10), sink, source)
    assert refused == [
        (3, "no trial is under way: send start before end"),
        (3, "a trial is under way (trial 1): send end before start"),
    ]
    assert [call[2] for call in sink.calls if call[0] == "journal"] == [0, 1]
    assert sink.messages == protocols.turned(session, state, {3: [start, end]}, 10).messages


class Waits(Paced):
    """A paced clock that notes in `events` when a tick is waited for."""

    def __init__(self, events, ticks):
        super().__init__(ticks)
        self.events = events

    def wait(self, tick):
        self.events.append(("wait", tick))
        return super().wait(tick)


def computed_and_waited(monkeypatch, session, state, ticks, source=None):
    """The order in which ticks are computed and waited for, from the start of the clock on, and the messages."""
    events, sink = [], Sink()

    def noted(session, state, earlier=()):
        events.append(("advance", state.tick))
        return advance(session, state, earlier)

    monkeypatch.setattr(loop, "advance", noted)
    loop.run(session, state, Waits(events, ticks), sink, source)
    return events[events.index(("wait", 0)) :], sink


def test_ticks_with_deadlines_are_computed_before_they_are_due(monkeypatch):
    session, state = begun()
    events, sink = computed_and_waited(monkeypatch, session, state, 20)
    assert events == [one for tick in range(20) for one in (("wait", tick), ("advance", tick + 1))] + [("wait", 20)]
    assert sink.messages == protocols.turned(*begun(), ticks=20).messages


def test_a_tick_with_an_input_is_computed_again_and_the_next_one_when_it_is_due(monkeypatch):
    turned = {"op": "perturb", "perturbation": {"name": "t", "kind": "rotation", "site": "cursor", "angle_rad": 1.0}}
    session, state = begun()
    events, sink = computed_and_waited(monkeypatch, session, state, 8, ScriptedInputs({3: given(turned)}))
    assert events[4:13] == [
        *(("wait", 2), ("advance", 3)),
        *(("wait", 3), ("advance", 3)),
        *(("wait", 4), ("advance", 4), ("advance", 5)),
        *(("wait", 5), ("advance", 6)),
    ]
    assert sink.messages == protocols.turned(session, state, {3: [turned]}, 8).messages
    assert sink.messages != protocols.turned(*begun(), ticks=8).messages


def test_a_refused_input_leaves_what_was_computed(monkeypatch):
    session, state = begun()
    absent = {"op": "unperturb", "name": "absent"}
    events, sink = computed_and_waited(monkeypatch, session, state, 6, ScriptedInputs({3: given(absent)}))
    assert ("advance", 3) in events
    assert len(events) == 13  # each tick once
    assert sink.messages == protocols.turned(*begun(), ticks=6).messages


def test_an_error_of_a_tick_is_raised_when_it_is_due(monkeypatch):
    def failing(session, state, earlier=()):
        if state.tick == 7:
            raise NumericalError("the population has diverged", "population")
        return advance(session, state, earlier)

    monkeypatch.setattr(loop, "advance", failing)
    session, state = begun()
    events, sink = [], Sink()
    with pytest.raises(NumericalError, match="diverged"):
        loop.run(session, state, Waits(events, 20), sink)
    assert events[-1] == ("wait", 7)
    assert sink.calls[-1] == ("settle", 7)


def test_ticks_without_deadlines_are_computed_once_several_at_a_time(monkeypatch):
    computed, together = [], []

    def noted(session, state, earlier=()):
        computed.append(state.tick)
        return advance(session, state, earlier)

    def noted_together(session, state):
        found = rest_of_bin(session, state)
        computed.extend(range(state.tick, state.tick + len(found)))
        together.append(len(found))
        return found

    monkeypatch.setattr(loop, "advance", noted)
    monkeypatch.setattr(loop, "rest_of_bin", noted_together)
    session, state = begun()
    loop.run(session, state, Stepped(20), Sink())
    assert computed == list(range(20))
    assert max(together) == session.timing.bin_ticks


@pytest.mark.parametrize("ticks", [(7,), (10, 13), (21, 22, 23), (14, 15, 29, 34, 36, 38)])
def test_inputs_within_a_bin_are_consumed_by_their_ticks(ticks):
    at = {tick: [protocols.perturb("gain", "cursor", name=f"p{tick}", factor=0.5)] for tick in ticks}
    session, state = begun()
    sink, by_tick = Sink(), {tick: given(*several) for tick, several in at.items()}
    last = loop.run(session, state, Unpaced(), sink, ScriptedInputs(by_tick))
    stepped = protocols.turned(session, state, at)
    assert sink.messages == stepped.messages
    assert [call[1] for call in sink.calls if call[0] == "journal"] == list(ticks)
    assert Encoder().encode(last).body == Encoder().encode(stepped.states[-1]).body
