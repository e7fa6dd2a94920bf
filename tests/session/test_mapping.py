"""A population whose feedback follows the present decoder: what counts do to the cursor as it is displayed."""

from __future__ import annotations

import numpy as np
import pytest

from decoderd.conformance.checks import restored
from decoderd.decoders import influence
from decoderd.session import mapping
from tests import protocols
from tests.protocols import BRIEF, begun, centre_out, lasting, perturbation, turned

UNITS = 12
LATE = {"shape": "step", "start": {"tick": 12}}


def following(**fields):
    """A session whose population has the feedback of the present decoder, at its 30th tick and in every one before."""
    population = {"kind": "bursting", "units": UNITS, "feedback": "present"}
    return protocols.run(lasting(0.3, **{"population": population, **fields}))


def K(state):
    return state.parameters.population.K


def transposed(weights):
    """The feedback matrix of weights (2, N)."""
    return weights.T / np.sqrt((weights**2).sum(axis=0).mean())


def of_decoder(run, state):
    return influence.of_counts(run.session.decoder, state.parameters.decoder)


def turning(angle):
    """(2, 2) that turns columns counter-clockwise."""
    return np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])


def test_without_a_perturbation_it_is_the_transpose_of_the_decoder():
    run = following()
    for state in run.states:
        np.testing.assert_allclose(K(state), transposed(of_decoder(run, state)))


@pytest.mark.parametrize("site", ["cursor", "feedback", "readout"])
def test_it_turns_with_the_cursor_the_display_and_the_decoder(site):
    """It changes with the first bin that begins with the rotation, from that of the old decoder to that of the new."""
    run = following(perturbations=[perturbation("rotation", site, angle_rad=0.9, envelope=LATE)])
    old = transposed(of_decoder(run, run.states[0]))
    new = old @ turning(0.9).T
    for tick, state in enumerate(run.states):
        np.testing.assert_allclose(K(state), new if tick > 15 else old, rtol=1e-9, atol=1e-9, err_msg=f"tick {tick}")


def test_a_permutation_of_the_readout_permutes_it():
    order = [3, 1, 2, 0, *range(4, UNITS)]
    run = following(perturbations=[perturbation("permutation", "readout", order=order)])
    states = run.states
    moved = np.zeros((UNITS, 2))
    before = transposed(of_decoder(run, states[0]))
    decoder, parameters = run.session.decoder, states[0].parameters.decoder
    for unit in range(UNITS):  # what a count of this unit adds, decoded with the units permuted
        permuted = decoder.permute_units(parameters, np.array(order))
        y = np.zeros((1, UNITS))
        y[0, unit] = 1.0
        at_rest, moving = (
            decoder.step(permuted, decoder.init(permuted, 1), counts, np.zeros((1, 2)))[1].velocity[0]
            for counts in (0 * y, y)
        )
        moved[unit] = moving - at_rest
    np.testing.assert_allclose(K(states[-1]), transposed(moved.T), rtol=1e-9, atol=1e-12)
    assert np.abs(K(states[-1]) - before).max() > 0.1


def test_with_a_rotation_of_both_cursor_and_display_the_display_counts():
    both = [
        perturbation("rotation", "cursor", angle_rad=0.9),
        perturbation("rotation", "feedback", name="back", angle_rad=-0.9),
    ]
    run = following(perturbations=both)
    np.testing.assert_allclose(K(run.states[-1]), transposed(of_decoder(run, run.states[-1])), atol=1e-12)


@pytest.mark.parametrize(
    "still",
    [
        perturbation("delay", "cursor", delay_s=0.05),
        perturbation("assist", "cursor", weight=0.5, speed_m_s=0.1),
        perturbation("gain", "neural", factor=0.5),
    ],
)
def test_what_does_not_turn_the_movement_leaves_it_as_it_is(still):
    run = following(perturbations=[still])
    np.testing.assert_allclose(K(run.states[-1]), transposed(of_decoder(run, run.states[-1])), atol=1e-12)


def test_counts_that_do_not_move_the_cursor_leave_no_feedback():
    off = {"shape": "block", "start": {"tick": 5}, "stop": {"tick": 15}}
    run = following(perturbations=[perturbation("gain", "cursor", factor=0.0, envelope=off)])
    assert [bool(K(state).any()) for state in run.states] == [tick <= 5 or tick > 15 for tick in range(31)]


def test_a_ramp_is_followed_bin_by_bin():
    ramp = {"shape": "ramp", "start": {"tick": 0}, "rise_s": 0.2}
    run = following(perturbations=[perturbation("rotation", "cursor", angle_rad=1.0, envelope=ramp)])
    found = [K(state) for state in run.states[1:]]
    changes = [tick for tick in range(1, 30) if not np.array_equal(found[tick], found[tick - 1])]
    assert changes == [5, 10, 15, 20]
    np.testing.assert_allclose(found[-1], found[0] @ turning(1.0).T, atol=1e-12)


def test_a_new_decoder_and_a_perturbation_of_the_same_name_are_followed():
    session, state = begun(
        lasting(
            1.0,
            population={"kind": "bursting", "units": UNITS, "feedback": "present"},
            decoder={"kind": "linear", "calibration": BRIEF},
        )
    )
    M2 = np.random.default_rng(4).normal(0, 0.01, (2, UNITS))
    turn = perturbation("rotation", "cursor", name="turn", angle_rad=0.5)
    other = {**turn, "angle_rad": -0.5}
    arrays = {**session.decoder.arrays(state.parameters.decoder), "M2": M2}
    inputs = {
        7: [protocols.packed(arrays)],
        12: [{"op": "perturb", "perturbation": turn}],
        22: [{"op": "unperturb", "name": "turn"}, {"op": "perturb", "perturbation": other}],
    }
    states = turned(session, state, inputs, 30).states
    np.testing.assert_allclose(K(states[11]), transposed(M2))
    np.testing.assert_allclose(K(states[16]), transposed(turning(0.5) @ M2))
    np.testing.assert_allclose(K(states[26]), transposed(turning(-0.5) @ M2))


def test_a_population_with_other_feedback_stays_as_it_is():
    run = following(
        population={"kind": "bursting", "units": UNITS, "feedback": "decoder"},
        perturbations=[perturbation("rotation", "cursor", angle_rad=0.9)],
    )
    assert run.states[-1].parameters is run.states[0].parameters
    assert mapping.follow(run.session, run.states[-1], 0, ()) is run.states[-1]


@pytest.mark.parametrize("overnight", ["carried", "refitted"])
def test_it_follows_units_that_are_lost_and_a_decoder_fitted_again(overnight):
    population = {"kind": "bursting", "units": UNITS, "feedback": "present"}
    data = centre_out(
        population=population,
        schedule={"days": 2, "blocks": [{"name": "only", "duration_s": 0.2}]},
        overnight={"lose": 3, "decoder": overnight},
    )
    run = protocols.run(data)
    lost = run.states[-1].parameters.lost
    assert len(lost) == 3
    weights = of_decoder(run, run.states[-1]).copy()
    weights[:, lost] = 0
    np.testing.assert_allclose(K(run.states[-1]), transposed(weights), rtol=1e-9, atol=1e-12)
    assert np.array_equal(of_decoder(run, run.states[0]), of_decoder(run, run.states[-1])) == (overnight == "carried")


def test_a_resumed_session_continues_with_the_same_bits():
    session, state = begun(
        lasting(
            0.4,
            population={"kind": "bursting", "units": UNITS, "feedback": "present"},
            perturbations=[perturbation("rotation", "cursor", angle_rad=0.9, envelope=LATE)],
        )
    )
    run = turned(session, state)
    for tick in (3, 17):
        again = turned(session, restored(run.states[tick]))
        later = [message for message in run.messages if message[1]["k"] >= tick]
        assert again.messages == later[-len(again.messages) :]
        np.testing.assert_array_equal(K(again.states[-1]), K(run.states[-1]))
