"""The manifold experiment in sessions without sockets: triggers, stages, and populations of any kind."""

from __future__ import annotations

import numpy as np
import pytest

from decoderd.protocol import protocol as protocols
from decoderd.session.step import step
from decoderd.wire.topics import read
from decoderd_client.plugins import Unable
from decoderd_plugins.manifold import Config
from decoderd_plugins.manifold.experiment import ManifoldExperiment
from decoderd_plugins.progress import SessionProgress
from tests.protocols import EASY, begun, centre_out, given, individual

TASK = {"kind": "centre_out", "targets": 4, "centre_timeout_s": 1.0, **EASY}
TIMED = {"kind": "timed_reach", "targets": 4, "reach_s": 0.6, "radius_m": 0.03}
RANDOM = {"kind": "random_targets", **EASY}
FACTORS = {"kind": "intrinsic_manifold", "calibration": {"reaches": 24, "factors": 3}}
LINEAR = {"kind": "linear", "calibration": {"reaches": 24, "decay_per_100ms": 0.0}}
FIELDS = {
    "kind": "omp",
    "calibration_trials": 8,
    "inject_at": "trial=13",
    "factors": 3,
    "candidates": 50,
    "window": 4,
    "approach_s": 0.4,
}


def data(trials=24, days=1, **fields):
    blocks = [{"name": "only", "trials": trials}]
    return centre_out(**{"task": TASK, "decoder": FACTORS, "schedule": {"days": days, "blocks": blocks}, **fields})


def experiment(plain, late=0, **fields):
    """The experiment after a session in which every decoder is consumed `late` ticks after it became due."""
    session, state = begun(plain)
    readouts = state.parameters.readouts
    described = {
        "tick_s": session.timing.tick_s,
        "bin_ticks": session.timing.bin_ticks,
        "units": session.units,
        "readouts": None if readouts is None else readouts.tolist(),
        "decoder": {"kind": session.protocol.decoder.kind},
        "protocol": protocols.dump(session.protocol),
    }
    arrays = session.decoder.arrays(state.parameters.decoder)
    found = ManifoldExperiment(described, arrays, Config(**{**FIELDS, **fields}), SessionProgress(), lambda line: None)
    waiting: list[tuple[int, dict]] = []
    while not state.progress.done and not found.over:
        now = [one for tick, one in waiting if tick <= state.tick]
        waiting = [(tick, one) for tick, one in waiting if tick > state.tick]
        if any(one["op"] == "decoder" for one in now):
            found.decoder_consumed(state.tick)
        state, messages = step(session, state, given(*now))
        for message in messages:
            found.receive(read(*message))
        waiting += [(state.tick + late, one) for one in found.due_inputs()]
    found.conclude()
    return found


def trials_of(found):
    """{(block, blend): numbers of the first and the last trial}."""
    return {
        (stage.block, stage.blend): (stage.trials[0].number, stage.trials[-1].number)
        for stage in found.stages
        if stage.trials
    }


def test_blocks_begin_with_the_requested_trials():
    found = experiment(data(), washout_at="trial=19", until="trial=23")
    assert trials_of(found) == {
        ("calibration", 0.0): (1, 8),
        ("intuitive", 0.0): (9, 12),
        ("perturbed", 1.0): (13, 18),
        ("washout", 0.0): (19, 22),
    }
    assert found.mixed == 0
    assert [(one.block, one.first, one.last) for one in found.windows] == [
        ("calibration", 1, 4),
        ("calibration", 5, 8),
        ("intuitive", 9, 12),
        ("perturbed", 13, 16),
        ("perturbed", 17, 18),
        ("washout", 19, 22),
    ]


def test_decoders_are_exchanged_at_the_requested_days():
    found = experiment(data(trials=10, days=3), inject_at="day=2", washout_at="day=3")
    assert trials_of(found) == {
        ("calibration", 0.0): (1, 8),
        ("intuitive", 0.0): (9, 10),
        ("perturbed", 1.0): (11, 20),
        ("washout", 0.0): (21, 30),
    }
    assert {one.day for one in found.windows if one.block == "perturbed"} == {2}


def test_a_blend_ends_after_stage_trials_or_at_stage_success():
    fields = {"incremental": (0.01, 0.02, 1.0), "window": 2, "inject_at": "trial=10"}
    slow = experiment(data(), stage_trials=4, **fields)
    assert [trials_of(slow)["perturbed", part] for part in (0.01, 0.02, 1.0)] == [(10, 13), (14, 17), (18, 24)]
    quick = experiment(data(), stage_trials=6, stage_success=0.01, **fields)
    first, last = trials_of(quick)["perturbed", 0.01]
    assert last - first + 1 == 2  # hardly perturbed, it succeeds


def test_a_trial_in_which_the_decoder_was_exchanged_belongs_to_no_block():
    found = experiment(data(), late=40)
    numbers = [trial.number for stage in found.stages for trial in stage.trials]
    assert found.mixed == 2
    assert sorted(set(range(1, 25)) - set(numbers)) == [9, 13]


def test_injection_before_calibration_is_complete_is_refused():
    with pytest.raises(Unable, match="only 4 of 8 trials"):
        experiment(data(trials=4, days=2), inject_at="day=2")


def test_learning_amount_starts_from_the_first_perturbed_window():
    found = experiment(data())
    amounts = [one.numbers["learning_amount"] for one in found.windows if one.block == "perturbed"]
    assert amounts[0] == 0 or np.isnan(amounts[0])
    assert not any("learning_amount" in one.numbers for one in found.windows if one.block != "perturbed")


def test_the_number_of_factors_can_be_cross_validated():
    found = experiment(data(trials=13), factors="auto", most_factors=4)
    assert found.fit.tried.tried == (2, 3, 4)
    assert found.fit.factors == found.fit.tried.chosen == len(found.fit.intuitive.axes)


def test_an_updater_in_the_session_is_reported():
    session, state = begun(data())
    lines = []
    plain = protocols.dump(session.protocol)
    plain["updater"] = {"kind": "smooth_batch"}
    described = {"tick_s": 0.01, "bin_ticks": 5, "units": 12, "protocol": plain}
    described["decoder"] = {"kind": "intrinsic_manifold"}
    ManifoldExperiment(
        described, session.decoder.arrays(state.parameters.decoder), Config(**FIELDS), SessionProgress(), lines.append
    )
    assert "updater smooth_batch" in lines[0]


@pytest.mark.parametrize("kind", ["wmp", "omp"])
@pytest.mark.parametrize("which", ["one_bin", "random_targets", "manifold", "steady_state", "readouts"])
def test_works_with_any_population_and_task(which, kind, tmp_path):
    calibration = {"reaches": 24}
    plain = {
        # A reach is one bin, without a beginning: as in a network that has no time.
        "one_bin": data(
            trials=40,
            tick_s=0.1,
            bin_ticks=1,
            task={"kind": "timed_reach", "targets": 4, "reach_s": 0.1, "radius_m": 0.05},
            decoder=LINEAR,
        ),
        "random_targets": data(task=RANDOM),
        "manifold": data(task=TIMED, population={"kind": "manifold", "file": str(individual(tmp_path / "one.npz"))}),
        "steady_state": data(decoder={"kind": "steady_state_kalman", "calibration": calibration}),
        "readouts": data(readouts={"count": 9}, decoder={"kind": "kalman", "calibration": calibration}),
    }[which]
    more = {"calibration_trials": 20, "inject_at": "trial=25"} if which == "one_bin" else {}
    found = experiment(plain, kind=kind, **more)
    assert [stage.block for stage in found.stages] == ["calibration", "intuitive", "perturbed"]
    choice = found.fit.choice
    assert choice.progress.mean() > choice.of[kind].predicted.progress[choice.of[kind].chosen].mean()
    measured = [one.numbers for one in found.windows if one.block == "perturbed"]
    assert measured
    assert all(0 < numbers["part_in_manifold"] <= 1 for numbers in measured)
    size = 3 if kind == "wmp" else {"manifold": 8, "readouts": 9}.get(which, 12)
    assert sorted(choice.order(kind)) == list(range(size))
