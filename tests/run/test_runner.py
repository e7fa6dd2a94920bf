"""Running a session in its file: speeds, interruption, errors, the summary."""

from __future__ import annotations

import math
import os
import signal
import threading
from typing import Any

import numpy as np
import pytest

from decoderd.checkpoint import Encoder
from decoderd.clock import RealTime, Unpaced
from decoderd.errors import NumericalError, ProtocolError
from decoderd.recording import recorder, session_file, summary
from decoderd.recording.store import open_store
from decoderd.run.runner import clock_for, drive
from decoderd.run.scripted_inputs import ScriptedInputs
from tests import protocols, running
from tests.protocols import bursting, centre_out, lasting
from tests.uncollected import uncollected


def test_speeds():
    assert isinstance(clock_for("max", 0.01), Unpaced)
    assert isinstance(clock_for("lockstep", 0.01), Unpaced)
    for speed, period in (("realtime", 10_000_000), ("1", 10_000_000), ("2.5", 4_000_000), ("1e-1", 100_000_000)):
        clock = clock_for(speed, 0.01)
        assert isinstance(clock, RealTime)
        assert clock.period_ns == period


@pytest.mark.parametrize(("speed", "tick_s", "bound_s"), [("realtime", 0.001, 0.1), ("2", 0.1, 0.5), ("2", 0.01, 0.1)])
def test_what_follows_a_delay(speed, tick_s, bound_s):
    clocks: list[Any] = [clock_for(speed, tick_s, *late) for late in (("from-now",), ("catch-up",), ())]
    assert [clock._restart_after for clock in clocks] == [bound_s * 1e9, math.inf, math.inf]
    with pytest.raises(ProtocolError, match="--late now: expected catch-up or from-now") as caught:
        clock_for(speed, tick_s, "now")
    assert caught.value.field == "late"


@pytest.mark.parametrize("kind", ["perturbed", "reinforce"])
def test_a_longer_session_leaves_no_more_to_the_garbage_collector(tmp_path, kind):
    """It runs without collection: what each tick or trial left would add up for weeks."""
    data, at = protocols.of_every_kind(tmp_path)[kind]
    left = []
    for number, days in enumerate((1, 1, 2)):  # the first also leaves what is made once in a process
        with uncollected() as found:
            running.record(tmp_path / str(number), {**data, "schedule": {**data["schedule"], "days": days}}, at)
        left.append(sorted(found))
    assert left[1] == left[2]


@pytest.mark.parametrize("speed", ["fast", "0", "-1", "nan", "inf", "", "10x"])
def test_speeds_that_are_none(speed):
    expected = f"--speed {speed}: expected realtime, max, lockstep, or a factor above 0"
    with pytest.raises(ProtocolError, match=expected) as caught:
        clock_for(speed, 0.01)
    assert caught.value.field == "speed"


def test_a_session_may_run_in_a_thread(tmp_path):
    """It leaves signals to the main thread."""
    found, before = [], signal.getsignal(signal.SIGINT)
    thread = threading.Thread(target=lambda: found.append(running.record(tmp_path, lasting(1.0))))
    thread.start()
    thread.join(running.TIMEOUT_S)
    assert found[0]["ticks"] == 100
    assert signal.getsignal(signal.SIGINT) == before


def test_an_interrupted_session_has_stored_everything(tmp_path):
    session, state = protocols.begun(lasting(5.0))
    store, encoder = session_file.begin(tmp_path, session, state)

    def interrupt(state):
        if state.tick == 137:
            os.kill(os.getpid(), signal.SIGINT)

    with store:
        found = drive(store, encoder, session, state, "max", on_progress=interrupt)
    assert (found["ticks"], found["done"]) == (137, False)
    with open_store(tmp_path, writing=True) as store:
        assert store.checkpoint()[0] == 137
        session, state = session_file.restore(store)
        found = drive(store, Encoder(), session, state, "max")
    assert found["digest"] == running.record(tmp_path / "whole", lasting(5.0))["digest"]
    assert (found["incarnation"], found["done"]) == (2, True)


def test_an_error_in_the_loop_keeps_what_was_committed(tmp_path, monkeypatch):
    monkeypatch.setattr(recorder, "CHUNK_TICKS", 50)
    session, state = protocols.begun(lasting(5.0))
    store, encoder = session_file.begin(tmp_path, session, state)

    def burst(state):
        if state.tick == 137:
            raise ZeroDivisionError

    with store, pytest.raises(ZeroDivisionError):
        drive(store, encoder, session, state, "max", on_progress=burst)
    with open_store(tmp_path) as store:
        assert store.checkpoint()[0] == 100


def test_a_tick_that_cannot_be_computed_keeps_all_ticks_before_and_no_input_of_its_own(tmp_path):
    data = bursting(137, [3], {"clip_spikes": False})
    session, state = protocols.begun(data)
    store, encoder = session_file.begin(tmp_path, session, state)
    given = {20: protocols.UNPERTURB | {"name": "burst-0"}, 137: protocols.perturb("gain", "cursor", factor=2.0)}
    source = ScriptedInputs({tick: protocols.given(one) for tick, one in given.items()})
    with store, pytest.raises(NumericalError, match=r"tick 137 \(day 1\): unit 3"):
        drive(store, encoder, session, state, "max", source)
    with open_store(tmp_path, writing=True) as store:
        assert store.checkpoint()[0] == 137
        assert store.next_number("tick") == 137
        assert [tick for tick, _ in store.journal()] == [20]
        session, state = session_file.restore(store)
        with pytest.raises(NumericalError, match=r"tick 137 \(day 1\): unit 3"):
            drive(store, Encoder(), session, state, "max")


# --- the summary


def test_the_summary_adds_up(tmp_path):
    done = running.record(tmp_path, centre_out(schedule={"days": 2, "blocks": [{"trials": 3}]}))
    run = protocols.run(centre_out(schedule={"days": 2, "blocks": [{"trials": 3}]}))
    successes = sum(trial["x"] == "success" for trial in run.of("trial"))
    assert done["session"] == "small-3"
    assert (done["days"], done["trials"], done["successes"]) == (2, 6, successes)
    assert done["success_rate"] == successes / 6
    assert done["ticks"] == len(run.states) - 1
    assert done["sim_s"] == pytest.approx(0.01 * done["ticks"])
    assert done["speed"] == pytest.approx(done["sim_s"] / done["wall_s"])
    assert done["lateness"] == {"p50_us": None, "p99_us": None, "p999_us": None, "max_us": None, "missed": 0}
    with open_store(tmp_path) as store:
        assert store.incarnations()[0]["conditions"] == done["conditions"]


def test_without_trials_there_is_no_rate(tmp_path):
    done = running.record(tmp_path, lasting(0.05))
    assert (done["trials"], done["success_rate"]) == (0, None)


def test_wall_time_is_that_of_the_loop(tmp_path):
    done = running.record(tmp_path, lasting(1.0), speed="2")
    assert 0.5 <= done["wall_s"] < 1.5
    assert 0.7 < done["speed"] < 2.05
    assert done["lateness"]["p50_us"] is not None
    assert 0 <= done["lateness"]["p50_us"] <= done["lateness"]["p99_us"] <= done["lateness"]["max_us"]


def test_lateness_is_counted_in_ticks_and_deadlines():
    late = np.array([0, 1_000, 2_000, 3_000, 10_000_000], dtype=np.int32)
    busy = np.array([50_000, 50_000, 9_999_000, 9_997_000, 1_000], dtype=np.int32)
    found = summary.lateness_of(late, busy, np.full(5, 10_000_000))
    assert found["p50_us"] == 2.0
    assert found["max_us"] == 10_000.0
    assert found["missed"] == 2  # 2 us late and 9999 us busy; 10 ms late
    assert found["p999_us"] == pytest.approx(np.percentile(late, 99.9) / 1e3)


def test_lateness_of_several_incarnations_is_taken_together(tmp_path):
    running.record(tmp_path, lasting(1.0), speed="5")
    with open_store(tmp_path) as store:
        rows = list(store.timing())
        assert sum(len(late) for _, late, _ in rows) == 100
        found = summary.lateness(store)
        late = np.concatenate([late for _, late, _ in rows])
        assert found["max_us"] == late.max() / 1e3
        assert found["p50_us"] == np.percentile(late, 50) / 1e3
        assert summary.wall_s(store) == store.incarnations()[0]["wall_s"]
