"""Every benchmark runs, briefly, and gives the figures it promises. How large they are is not a test's business."""

import math

import numpy as np
import pytest

from decoderd.bench import (
    agent,
    batch,
    export,
    flood,
    kalman,
    lateness,
    learning,
    load,
    lockstep,
    publish,
    recorder,
    tick,
)

BRIEF = {
    "kalman": lambda: kalman.measure(calls=2, rounds=1),
    "tick": lambda: tick.measure(ticks=40, rounds=1),
    "batch": lambda: batch.measure(rounds=1, number=2, others=(1, 3), session_ticks=100),
    "recorder": lambda: recorder.measure(ticks=50, units=10, rounds=1),
    "export": lambda: export.measure(ticks=100, units=10, rounds=1),
    "learning": lambda: learning.measure(rounds=1, seeds=4),
    "lateness": lambda: lateness.measure(seconds=0.2, turns=1, units=10),
    "agent": lambda: agent.measure(steps=5, rounds=1, units=10),
    "lockstep": lambda: lockstep.measure(steps=5, turns=1, units=10),
}
FIGURES = {
    "kalman": {
        "kalman_step_ratio",
        "kalman_steady_state_ratio",
        "kalman_filterpy_ratio",
        "point_process_step_ratio",
    },
    "tick": {"tick_us_100", "tick_us_1000"},
    "batch": {"batch_us_per_session_tick", "batch_adapting_us_per_session_tick", "batch_ratio"},
    "recorder": {
        "recorder_ticks_per_s",
        "recorder_hash_ratio",
        "recorder_packing_ratio",
        "recorder_packed_ratio",
    },
    "export": {"export_parquet_ticks_per_s", "export_parquet_ratio"},
    "learning": {"reinforce_epoch_ms", "backprop_epoch_ms"},
    "lateness": {"lateness_p99_ratio", "lateness_p99_ratio_same_conditions", "busy_p999_of_tick"},
    "agent": {"agent_steps_per_s", "agent_session_ratio", "agent_bare_ratio"},
    "lockstep": {"lockstep_steps_per_s", "lockstep_round_trip_ratio"},
}


def checked(found, names):
    """The figures by name are positive numbers; everything else is a table behind them."""
    figures = {name: value for name, value in found.items() if not isinstance(value, dict)}
    assert set(figures) == names
    assert all(math.isfinite(value) and value > 0 for value in figures.values())


@pytest.mark.parametrize("name", BRIEF)
def test_a_benchmark_gives_its_figures(name):
    checked(BRIEF[name](), FIGURES[name])


def test_latencies_of_a_session_and_of_bare_sockets():
    ours, sizes = publish.session(tick_s=0.01, seconds=3.0, units=10)
    assert min(sizes) > 8
    theirs = publish.bare(0.01, 0.2, sizes, punctual=False)
    assert len(theirs) == 20
    assert len(ours) > 0  # messages of the first second, and those that were fetched afterwards, do not count
    assert (np.concatenate([ours, theirs]) > 0).all()


def test_a_late_subscriber_receives_everything():
    measured = load.late(tick_s=0.01, seconds=2.0, units=10)
    assert measured.complete
    assert measured.recovered > 0
    assert len(measured.late_ns) == 100


def test_lateness_of_several_turns_is_pooled():
    turns = [load.Measured(np.array([1000, 3000]), 1, True, 5), load.Measured(np.array([2000]), 2, False, 0)]
    found = load._figures(turns)
    assert found == {
        "p50_us": 2.0,
        "p99_us": pytest.approx(2.98),
        "max_us": 3.0,
        "ticks": 3,
        "missed": 3,
        "complete": False,
        "recovered": 5,
    }


def test_a_flood_is_answered_while_ticks_pass():
    flooded = flood.turn(flood.FLOODS["missed"], seconds=flood.AFTER_S + 0.3, tick_s=0.01, units=10)
    assert flooded.answered > 0
    assert len(flooded.late_ns) >= 20
