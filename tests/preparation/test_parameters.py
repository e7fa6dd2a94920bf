"""Before the first tick: individuals drawn or read, decoders read or fitted."""

from __future__ import annotations

import numpy as np
import pytest

from decoderd.decoders import fitting
from decoderd.errors import ArrayError, ProtocolError
from decoderd.preparation.calibration import calibrate
from decoderd.preparation.parameters import prepare
from decoderd.protocol import protocol
from decoderd.session.assembly import assemble
from decoderd.state import Parameters
from tests.protocols import BRIEF, centre_out, individual, mapping, outside, recording


def prepared(**fields):
    return prepare(protocol.parse(centre_out(**fields)))


def weights(**fields):
    return prepared(**fields).population.weights


def test_a_seed_makes_an_individual():
    assert np.array_equal(weights(seed=5), weights(seed=5))
    assert not np.array_equal(weights(seed=5), weights(seed=6))


def test_what_the_individual_does_not_depend_on():
    assert np.array_equal(weights(), weights(name="other", tick_s=0.02, task={"kind": "random_targets"}))


def test_drawn_tuning_is_within_its_ranges():
    ranges = {"baseline_hz": [3, 4], "depth_hz": [10, 12], "speed_hz": [-2, 2], "reference_speed_m_s": 0.1}
    x, y, speed, baseline = weights(population={"kind": "tuned", "units": 500, **ranges})
    depth = np.hypot(x, y) * 0.1
    for values, (low, high) in ((baseline, (3, 4)), (depth, (10, 12)), (speed * 0.1, (-2, 2))):
        assert low <= values.min() < low + 0.1 * (high - low)
        assert high - 0.1 * (high - low) < values.max() <= high
    directions = np.arctan2(y, x)
    assert np.abs(np.exp(1j * directions).mean()) < 0.15


def test_a_population_is_read_from_its_file(tmp_path):
    path = individual(tmp_path / "one.npz")
    parameters = prepared(population={"kind": "manifold", "file": str(path)}).population
    with np.load(path) as file:
        for name in file.files:
            assert np.array_equal(getattr(parameters, name), file[name])


def test_a_decoder_is_read_from_its_file(tmp_path):
    path = mapping(tmp_path / "m.npz", units=12)
    parameters = prepared(decoder={"kind": "linear", "file": str(path)}).decoder
    with np.load(path) as file:
        assert np.array_equal(parameters.M2, file["M2"])
        assert np.array_equal(parameters.M1, file["M1"])


def test_a_fitted_decoder_reads_the_tuning_it_was_fitted_to():
    """With many reaches C approaches what the population does: counts a bin = rates times 50 ms."""
    fields = {"population": {"kind": "tuned", "units": 20, "speed_hz": [0, 0], "baseline_hz": [40, 60]}}
    calibration = {"reaches": 400, "reach_s": 1.0}
    found = prepared(**fields, decoder={"kind": "kalman", "calibration": calibration})
    true = found.population.weights[[0, 1, 3]].T * 0.05
    fitted = found.decoder.C
    assert np.corrcoef(true[:, :2].ravel(), fitted[:, :2].ravel())[0, 1] > 0.98
    slope = (true[:, :2] * fitted[:, :2]).sum() / (true[:, :2] ** 2).sum()
    assert slope == pytest.approx(1, abs=0.04)
    np.testing.assert_allclose(fitted[:, 2], true[:, 2], rtol=0.06)


def test_the_fit_is_least_squares_on_the_calibration():
    data = centre_out(decoder={"kind": "kalman", "calibration": {**BRIEF, "noise_shrinkage": 0.0, "reaches": 40}})
    parsed = protocol.parse(data)
    parameters = prepare(parsed)
    recorded = calibrate(parsed, parameters.population)
    states = np.column_stack([recorded.velocity, np.ones(len(recorded.velocity))])
    C = np.linalg.solve(states.T @ states, states.T @ recorded.counts).T
    np.testing.assert_allclose(parameters.decoder.C, C, rtol=1e-8, atol=1e-10)
    residual = recorded.counts - states @ C.T
    np.testing.assert_allclose(parameters.decoder.Q, residual.T @ residual / (len(states) - 3), rtol=1e-8, atol=1e-10)


def test_calibration_has_its_reaches():
    parsed = protocol.parse(centre_out())
    recorded = calibrate(parsed, prepare(parsed).population)
    bins = 16 * 10  # 16 reaches of 0.5 s in bins of 50 ms
    assert recorded.bin_s == pytest.approx(0.05)
    assert recorded.counts.shape == (bins, 12)
    assert recorded.position.shape == recorded.velocity.shape == (bins, 2)
    assert (recorded.counts == np.round(recorded.counts)).all()
    ends = recorded.position.reshape(16, 10, 2)[:, -1]
    angles = 2 * np.pi * (np.arange(16) % 8) / 8
    goals = 0.07 * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    assert np.hypot(*(ends - goals).T).max() < 0.04  # well on its way to where it was to go
    starts = recorded.position.reshape(16, 10, 2)[:, 0]
    assert np.hypot(*starts.T).max() < 0.02


def test_the_watched_cursor_does_at_once_what_is_intended():
    parsed = protocol.parse(centre_out(bin_ticks=1))
    recorded = calibrate(parsed, prepare(parsed).population)
    moved = np.diff(recorded.position.reshape(16, 50, 2), axis=1)
    np.testing.assert_allclose(moved, 0.01 * recorded.velocity.reshape(16, 50, 2)[:, 1:], atol=1e-15)


def test_an_outside_decoder_needs_nothing():
    parameters = prepare(protocol.parse(outside()))
    assert isinstance(parameters, Parameters)
    assert parameters.decoder == ()


# --- what cannot be prepared


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda path: path.unlink(), "no such file"),
        (lambda path: path.write_bytes(b"PK\x03\x04 broken"), "not a readable .npz"),
        (lambda path: np.savez(path, other=np.eye(2)), "missing: M2"),
        (lambda path: np.savez(path, M2=np.full((2, 12), np.inf)), r"M2\[0, 0\] = inf"),
        (lambda path: np.savez(path, M2=np.eye(3)), r"M2: has shape \(3, 3\)"),
    ],
    ids=["gone", "broken", "missing", "infinite", "misshapen"],
)
def test_a_decoder_file_that_does_not_fit_is_named(tmp_path, spoil, reason):
    path = mapping(tmp_path / "m.npz", units=12)
    spoil(path)
    with pytest.raises(ProtocolError, match=reason) as caught:
        prepared(decoder={"kind": "linear", "file": str(path)})
    assert str(path) in str(caught.value)
    assert str(caught.value).startswith("decoder: ")
    assert caught.value.field == "decoder"


def test_a_population_file_that_does_not_fit_is_named(tmp_path):
    path = tmp_path / "r.npz"
    np.savez(path, counts=np.full((3, 6), 0.5))
    with pytest.raises(ProtocolError, match=r"population: .*r\.npz: counts\[0, 0\] = 0\.5") as caught:
        prepared(population={"kind": "replay", "file": str(path)})
    assert caught.value.field == "population"


def test_recorded_counts_cannot_be_calibrated_on(tmp_path):
    replayed = {"kind": "replay", "file": str(recording(tmp_path / "r.npz"))}
    with pytest.raises(ProtocolError, match="recorded counts cannot be calibrated on; name a decoder file"):
        prepared(population=replayed)


def test_a_calibration_that_is_too_short_says_so():
    with pytest.raises(ProtocolError, match="decoder: fitted to a calibration: counts: 2 bins are too few"):
        prepared(decoder={"kind": "kalman", "calibration": {"reaches": 1, "reach_s": 0.1}})


def test_fitting_is_the_same_whoever_calls_it():
    parsed = protocol.parse(centre_out())
    parameters = prepare(parsed)
    recorded = calibrate(parsed, parameters.population)
    arrays = fitting.kalman(recorded, parsed.decoder.calibration, "velocity")
    for name, array in arrays.items():
        np.testing.assert_array_equal(array, getattr(parameters.decoder, name))
    with pytest.raises(ArrayError):
        fitting.kalman(
            recorded._replace(counts=recorded.counts[:2], velocity=recorded.velocity[:2]),
            parsed.decoder.calibration,
            "velocity",
        )


@pytest.mark.parametrize("kind", ["kalman", "steady_state_kalman", "intrinsic_manifold", "linear"])
def test_an_arbitrary_decoder_decodes_in_arbitrary_directions(kind):
    """What counts add to the decoded velocity is turned unit by unit, by angles all over the circle."""
    units, calibration = 40, {"reaches": 40, "factors": 4}

    def added(**more):
        population = {"kind": "tuned", "units": units}
        data = centre_out(population=population, decoder={"kind": kind, "calibration": {**calibration, **more}})
        parsed = protocol.parse(data)
        parameters, decoder = prepare(parsed).decoder, assemble(parsed, prepare(parsed)).decoder
        base = decoder.step(parameters, decoder.init(parameters, 1), np.full((1, units), 2.0), None)[1].velocity
        more = np.repeat(np.full((1, units), 2.0), units, axis=0) + np.eye(units)
        moved = decoder.step(parameters, decoder.init(parameters, units), more, None)[1].velocity - base
        return moved[:, 0] + 1j * moved[:, 1]

    fitted, arbitrary = added(), added(arbitrary=True)
    assert np.array_equal(added(arbitrary=True), arbitrary)
    turns = arbitrary / np.abs(arbitrary) * np.abs(fitted) / fitted
    assert abs(turns.mean()) < 0.35  # 40 directions at random have a mean of 0.16, all alike one of 1
    assert np.median(np.abs(arbitrary)) > 0.3 * np.median(np.abs(fitted))
