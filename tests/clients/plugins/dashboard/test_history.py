"""Measures by day and perturbations, against the tables of the same session."""

import numpy as np
import pytest

from decoderd.analysis import performance
from decoderd.recording.reader import open_session
from decoderd.wire.messages import Metrics, Perturbation, Plasticity
from decoderd_plugins.dashboard.history import TOPICS, History, now_on
from tests.clients.plugins import building
from tests.protocols import centre_out
from tests.running import record

TURN = {"name": "turn", "kind": "rotation", "site": "cursor", "angle_rad": 0.5}


def filled(messages, tick_s=0.01):
    one = History(tick_s)
    for message in messages:
        one.receive(message)
    return one


def plasticity(tick, loss, reason=""):
    return building.message(Plasticity, tick, updates=1, loss=loss, change_norm=0.1, reason=reason)


def test_days_are_those_of_the_recording(tmp_path):
    schedule = {"days": 2, "blocks": [{"name": "only", "trials": 5}]}
    at = {100: [{"op": "perturb", "perturbation": TURN}], 400: [{"op": "unperturb", "name": "turn"}]}
    record(tmp_path / "session", centre_out(schedule=schedule), at)
    with open_session(tmp_path / "session") as session:
        one = filled(message for topic in TOPICS for message in session.messages(topic))
        table, tick_s = session.trials(), session.protocol.tick_s
    for row, day in zip(one.days(), (1, 2), strict=True):
        of_day = performance.of(table[table["day"] == day], tick_s)
        assert (row["day"], row["trials"], row["success"]) == (day, 5, of_day.success_rate)
        assert row["time_s"] == pytest.approx(of_day.reach_s, abs=1e-4)
    assert one.outcomes == table["outcome"].tolist()
    for index, target in one.targets.items():
        mine = table[table["target"] == index][0]
        assert target == pytest.approx([mine["target_x_m"], mine["target_y_m"]])
    turned = {"name": "turn", "kind": "rotation", "site": "cursor", "added": 100, "on": 100, "off": 400}
    assert one.perturbations == [turned]
    assert [day for _, day in one.day_starts()] == [1, 2]


def test_losses_belong_to_the_day_of_their_tick_in_any_order_of_topics():
    losses = [(10, 0.9), (20, 0.7), (110, 0.5), (120, 0.1)]
    messages = [plasticity(tick, loss) for tick, loss in losses]
    days = [building.day("block", 0, 1), building.day("block", 100, 2), building.day("block", 150, 2)]
    for order in ([*messages, *days], [*days, *messages]):
        found = [row["loss"] for row in filled([*order, plasticity(130, 7.0, "refused")]).days()]
        assert found == pytest.approx([np.mean([0.9, 0.7]), np.mean([0.5, 0.1])])


def test_n_c_is_that_of_the_metrics():
    metrics = building.message(Metrics, 5, source="compaction", day=3, values={"n_c": 12.0})
    other = building.message(Metrics, 5, source="me", day=4, values={"x": 1.0})
    assert [(row["day"], row["n_c"], row["success"]) for row in filled([metrics, other]).days()] == [(3, 12.0, None)]


def test_a_name_that_is_used_again_is_another_perturbation():
    def change(tick, event):
        return building.message(Perturbation, tick, name="turn", event=event, config=TURN)

    events = [(1, "added"), (5, "on"), (9, "removed"), (20, "added"), (25, "on")]
    found = filled([change(*one) for one in events]).perturbations
    assert [(one["added"], one["on"], one["off"]) for one in found] == [(1, 5, 9), (20, 25, None)]
    assert now_on(found) == ["turn"]
