"""The live view of `decoderd watch`, message by message."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from decoderd.cli.live_view import COLUMNS, REACH_M, ROWS, View, canvas
from decoderd.session.step import step
from decoderd.wire.message import numbered
from decoderd.wire.messages import Health, Metrics, Perturbation, Session, Tick
from decoderd.wire.topics import read
from tests import protocols
from tests.protocols import centre_out

DESCRIPTION = {
    "session": "small-3",
    "speed": "realtime",
    "tick_s": 0.01,
    "tick": 0,
    "day": 1,
    "perturbations": [
        {"name": "old", "state": "past", "config": {}},
        {"name": "turn", "state": "on", "config": {}},
    ],
}


def message(model, tick=0, **fields):
    """A message as a client receives it."""
    return model.read(numbered(model.build(**fields), "small-3", 0, tick))


def tick(cursor, goal):
    """A tick with the cursor and the goal at a place, m."""
    still = {"decoded_velocity": (0.0, 0.0), "intended_velocity": (0.0, 0.0)}
    return message(Tick, day=1, block=1, trial=1, phase=3, goal=goal, cursor=cursor, **still)


def health(ticks, lateness_us, missed):
    """A message about a quarter of a second."""
    return message(
        Health,
        ticks=ticks,
        wall_s=0.25,
        lateness_us=lateness_us,
        duration_us=lateness_us,
        missed_deadlines=missed,
        clipped=0,
    )


def lines(view):
    return {name: text.plain for name, text in view.lines()}


def printed(view):
    console = Console(width=120, record=True, file=io.StringIO())
    console.print(view.shown())
    return console.export_text()


def test_a_view_before_the_first_message():
    view = View(DESCRIPTION)
    assert lines(view)["perturbations"] == "turn (on)"
    assert lines(view)["success"] == lines(view)["lateness"] == "-"
    assert "small-3, speed realtime" in printed(view)


def test_a_view_at_the_end_of_a_session():
    session, state = protocols.begun(centre_out())
    view, outcomes, last = View(DESCRIPTION), [], None
    while not state.progress.done:
        state, messages = step(session, state)
        for topic, payload in messages:
            view.add(read(topic, payload))
            outcomes += [payload["x"]] if topic == "trial" else []
            last = payload if topic == "tick" else last
    won = outcomes.count("success")
    shown = lines(view)
    assert shown["success"] == f"{100 * won / len(outcomes):.0f} % of the last {len(outcomes)} trials"
    assert shown[""].count("●") == won
    assert shown[""].count("·") == len(outcomes) - won
    assert shown["time"] == f"{last['k'] * 0.01:.1f} s, tick {last['k']}"


@pytest.mark.parametrize(
    ("where", "column", "row"),
    [
        ((0.0, 0.0), COLUMNS // 2, (ROWS - 1) / 2),
        ((-REACH_M, REACH_M), 0, 0),
        ((REACH_M, -REACH_M), COLUMNS - 1, ROWS - 1),
    ],
)
def test_the_cursor_is_where_it_is(where, column, row):
    rows = canvas(tick((*where, 0.0, 0.0), None), []).plain.split("\n")
    assert (len(rows), {len(one) for one in rows}) == (ROWS, {COLUMNS})
    ((at, found),) = [(number, one.index("●")) for number, one in enumerate(rows) if "●" in one]
    assert found == column
    assert abs(at - row) <= 0.5


def test_a_cursor_that_left_the_picture():
    assert "●" not in canvas(tick((1.0, 0.0, 0.0, 0.0), (0.05, 0.0)), []).plain
    assert "O" in canvas(tick((1.0, 0.0, 0.0, 0.0), (0.05, 0.0)), []).plain


def test_perturbations_come_and_go():
    view = View({**DESCRIPTION, "perturbations": []})
    for what, state in (("added", "turn (waiting)"), ("on", "turn (on)"), ("off", "none")):
        view.add(message(Perturbation, name="turn", event=what, config={}))
        assert lines(view)["perturbations"] == state


def test_health_metrics_and_the_state_of_the_process():
    view = View(DESCRIPTION)
    view.add(health(25, (50.0, 99.0, 120.0), 2))
    assert lines(view)["lateness"] == "50, p99 99, max 120 us"
    view.add(health(500, None, 1))
    assert lines(view)["lateness"] == "no deadlines; 2000 ticks/s"
    assert lines(view)["missed"] == "3 ticks"
    view.add(message(Session, 230, event="resumed", run=2, first_tick=230, detail=""))
    view.add(message(Metrics, source="compaction", day=1, values={"n_c": 14.0}))
    assert lines(view)["process"] == "resumed at tick 230 (incarnation 2)"
    assert lines(view)["compaction"] == "n_c 14"
