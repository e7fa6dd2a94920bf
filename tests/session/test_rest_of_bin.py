"""The rest of a bin at once, against its ticks one by one: every state and every message, to the bit."""

from __future__ import annotations

import numpy as np
import pytest

from decoderd.checkpoint import Encoder
from decoderd.errors import NumericalError
from decoderd.session.rest_of_bin import rest_of_bin
from decoderd.session.step import advance
from tests import protocols
from tests.protocols import centre_out, lasting, of_every_kind, perturbation


def walked(data):
    """How many ticks were computed together and how many by themselves, after comparing all with single ticks."""
    session, state = protocols.begun(data)
    together = alone = 0
    while not state.progress.done:
        found = rest_of_bin(session, state)
        for after, messages in found:
            state, expected = advance(session, state)
            assert messages == expected
            assert Encoder().encode(after).body == Encoder().encode(state).body
        together += len(found)
        if not found:
            state, _ = advance(session, state)
            alone += 1
    return together, alone


def correlated(folder):
    """A population with noise in common."""
    draw = np.random.default_rng(5)
    weights = np.stack([*draw.normal(0, 40, (3, 12)), draw.uniform(5, 20, 12)])
    np.savez(folder / "correlated.npz", weights=weights, shared=draw.normal(0, 3, (12, 2)))
    return {"kind": "tuned", "file": str(folder / "correlated.npz")}


SUBJECTS = {
    "sees at once": {"visual_delay_s": 0.0},
    "sees the tick before": {"visual_delay_s": 0.01},
    "sees within the bin": {"visual_delay_s": 0.03},
    "sees late": {"visual_delay_s": 0.3},
    "intends from outside": {"intent": "external"},
}


@pytest.mark.parametrize("subject", SUBJECTS)
def test_any_subject(subject):
    together, alone = walked(lasting(2.0, population={"kind": "tuned", "units": 12, "subject": SUBJECTS[subject]}))
    assert together > 10 * alone


@pytest.mark.parametrize("kind", ["position", "random_targets", "days", "smooth_batch", "refit", "no_pause"])
def test_every_part_of_a_session(tmp_path, kind):
    data, _ = of_every_kind(tmp_path)[kind]
    together, alone = walked(data)
    assert together > alone


@pytest.mark.parametrize("effector", ["point_mass", "two_link_arm"])
def test_any_effector(effector):
    fit = {"kind": "kalman", "calibration": protocols.BRIEF}
    data = lasting(1.0, effector={"kind": effector}, decoder=fit)
    together, alone = walked(data)
    assert together > alone


def test_bins_of_any_length():
    for bin_ticks in (1, 2, 3, 50):
        together, alone = walked(lasting(1.0, tick_s=0.002, bin_ticks=bin_ticks))
        assert (together > 4 * alone) == (bin_ticks > 1)


def test_noise_that_units_have_in_common(tmp_path):
    together, alone = walked(lasting(1.0, population=correlated(tmp_path)))
    assert together > 10 * alone


def test_units_that_are_no_longer_recorded():
    days = {"days": 3, "blocks": [{"name": "only", "duration_s": 0.5}]}
    together, alone = walked(centre_out(schedule=days, overnight={"lose": 3}))
    assert together > 8 * alone


@pytest.mark.parametrize("seconds", [0.52, 0.53, 0.54, 0.55])
def test_a_block_may_end_within_a_bin(seconds):
    blocks = [{"name": "first", "duration_s": seconds}, {"name": "second", "trials": 1}]
    together, alone = walked(centre_out(schedule={"days": 2, "blocks": blocks}))
    assert together > alone


def test_perturbations_that_turn_on_and_off_within_a_bin():
    """While one is on, ticks are computed by themselves; a waiting one and one that is over do not matter."""
    envelope = {"shape": "block", "start": {"tick": 33}, "stop": {"tick": 57}}
    turn = perturbation("rotation", "cursor", angle_rad=0.5, envelope=envelope)
    together, _ = walked(lasting(1.0, perturbations=[turn]))
    session, state = protocols.begun(lasting(1.0, perturbations=[turn]))
    on = [k for k, one in enumerate(protocols.turned(session, state).states[:-1]) if rest_of_bin(session, one)]
    assert not set(range(32, 57)) & set(on)
    assert set(range(25, 32)) & set(on)
    assert set(range(57, 64)) & set(on)
    assert together > 60


@pytest.mark.parametrize("shape", ["step", "ramp"])
def test_a_perturbed_readout_does_not_matter_until_the_bin_ends(shape):
    envelope = {"shape": shape, "start": {"trial": 2}, **({"rise_s": 0.5} if shape == "ramp" else {})}
    turn = perturbation("rotation", "readout", angle_rad=0.5, envelope=envelope)
    together, alone = walked(lasting(3.0, perturbations=[turn]))
    assert together > 10 * alone


def test_ticks_in_which_a_population_learns_are_computed_by_themselves(tmp_path):
    data, _ = of_every_kind(tmp_path)["reinforce"]
    session, state = protocols.begun(data)
    assert not any(rest_of_bin(session, one) for one in protocols.turned(session, state, ticks=60).states[:-1])


def test_rates_above_the_limit_are_left_to_single_ticks():
    """They count what is clipped, and say why."""
    together, alone = walked(protocols.bursting(40, [2], schedule={"days": 1, "blocks": [{"duration_s": 1.0}]}))
    assert together > 20
    assert alone >= 60


def test_a_tick_that_fails_is_left_to_itself(monkeypatch):
    """The ticks before it are there, and its error is raised when it is due."""
    session, state = protocols.begun(lasting(1.0))
    states = protocols.turned(session, state, ticks=30).states
    begins = next(k for k in range(5, 30) if len(rest_of_bin(session, states[k])) == session.timing.bin_ticks)

    def failing(parameters, estimate, counts, position):
        raise NumericalError("P cannot be inverted", "P")

    broken = session._replace(decoder=session.decoder._replace(step=failing))
    found = rest_of_bin(broken, states[begins])
    assert [after.tick for after, _ in found] == [begins + k for k in (1, 2, 3, 4)]
    with pytest.raises(NumericalError, match=f"decoder: tick {begins + 4} .* P cannot be inverted"):
        advance(broken, found[-1][0])
