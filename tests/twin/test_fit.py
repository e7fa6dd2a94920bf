"""From a recording to a closed loop: known individuals come back, what does not fit is refused, and a real recording
gives its own decoder, a twin like it, and reaches that succeed."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import norm

from decoderd.arrays import load_npz
from decoderd.decoders import intrinsic_manifold
from decoderd.errors import ArrayError, DecoderdError, NumericalError, ProtocolError
from decoderd.populations import manifold
from decoderd.populations.spikes import poisson
from decoderd.preparation.parameters import prepare
from decoderd.protocol import protocol
from decoderd.session import assembly, step
from decoderd.twin import factor_model, fit

Arrays = dict[str, np.ndarray[Any, Any]]

ANGLES = np.arange(0, 360, 45)


def individual(units: int = 40, latents: int = 3, mean: float = 8.0, seed: int = 1) -> manifold.Parameters:
    """A population with a strong first harmonic and two weaker, correlated shared variance, and private variance."""
    rng = np.random.default_rng(seed)
    first = 1.5 * np.linalg.qr(rng.standard_normal((latents, 2)))[0].T
    return manifold.Parameters(
        baseline=mean * rng.uniform(0.8, 1.2, units),
        loadings=0.5 * rng.standard_normal((units, latents)),
        resting=np.zeros(latents),
        tuning=np.vstack([first, 0.3 * rng.standard_normal((4, latents))]),
        shared=0.5 * rng.standard_normal((latents, latents)),
        private=rng.uniform(0.5, 1.5, units),
        bin_s=np.array(0.05),
    )


def simulated(who: manifold.Parameters, direction: np.ndarray[Any, Any], rng: np.random.Generator) -> Any:
    """Counts (T, N) while directions are intended with full effort, through the population's public functions."""
    bins, (n, q) = len(direction), who.loadings.shape
    latents = manifold.mean_latents(who, direction, np.ones(bins)) + rng.standard_normal((bins, q)) @ who.shared.T
    mean = manifold.mean_counts(who, latents, rng.standard_normal((bins, n)))
    return poisson(mean, rng.random((bins, n)))


def model_of(who: manifold.Parameters) -> Arrays:
    """The factor-analysis model that generated the counts, of counts scaled in some way."""
    var = who.baseline + who.private**2
    scale = np.random.default_rng(7).uniform(0.2, 2.0, len(var))
    return {
        "count_mean": who.baseline,
        "count_scale": scale,
        "fa_loadings": who.loadings * scale[:, np.newaxis],
        "fa_private_var": var * scale**2,
    }


def recorded(who: manifold.Parameters, bins: int = 2000, seed: int = 2) -> Arrays:
    """A recording without a model or a filter, directions within 10 degrees of the targets'."""
    rng = np.random.default_rng(seed)
    target = np.arange(bins) % len(ANGLES)
    direction = np.deg2rad(ANGLES[target] + rng.normal(0, 10, bins))
    return {
        "counts": simulated(who, direction, rng),
        "target": target,
        "target_angle_deg": ANGLES,
        "cursor_to_target": np.stack([np.cos(direction), np.sin(direction)], axis=1),
        "bin_s": who.bin_s,
    }


def saved(folder: Path, arrays: Mapping[str, Any]) -> Path:
    """The recording as a file."""
    path = folder / "Made up.npz"
    np.savez(path, **arrays)
    return path


def trials(path: Path, *overrides: str) -> list[dict[str, Any]]:
    """The trial messages of a whole session."""
    chosen = protocol.load(path, overrides)
    parameters = prepare(chosen)
    assembled = assembly.assemble(chosen, parameters)
    state, ended = step.initial(assembled, parameters), []
    while not state.progress.done:
        state, news = step.step(assembled, state)
        ended += [payload for topic, payload in news if topic == "trial"]
    return ended


def success(ended: list[dict[str, Any]]) -> float:
    """The fraction of trials acquired."""
    return float(np.mean([trial["x"] == "success" for trial in ended]))


# --- a known individual comes back ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def known() -> tuple[manifold.Parameters, fit.Recording, manifold.Parameters]:
    """A population, a recording of it with the true factor-analysis model, and the twin fitted to that."""
    who = individual()
    recording = fit.check({**recorded(who), **model_of(who)})
    return who, recording, fit.population(recording, recording.factor_analysis)


def test_tuning_is_recovered_within_sampling_error(known: Any) -> None:
    who, recording, fitted = known
    directions = np.deg2rad(np.arange(0, 360, 5))
    full = np.ones(len(directions))
    means = [manifold.mean_counts(p, manifold.mean_latents(p, directions, full)) for p in (who, fitted)]
    # A mean is fitted from T bins by 7 coefficients in 3 latents; a latent's SD is at most that of shared + counting.
    latent_var = who.shared @ who.shared.T + np.linalg.inv(
        (who.loadings.T / (who.baseline + who.private**2)) @ who.loadings
    )
    unit_sd = np.sqrt(np.einsum("iq,qr,ir->i", who.loadings, latent_var, who.loadings))
    of_baseline = np.sqrt(recording.counts.var(axis=0))
    error = np.sqrt((7 * unit_sd**2 + of_baseline**2) / len(recording.counts))
    assert (np.abs(means[1] - means[0]) < 4.5 * error).all()
    assert np.abs(means[1] - means[0]).max() < 0.1 * np.ptp(means[0], axis=0).max()


def test_covariances_are_recovered_within_sampling_error(known: Any) -> None:
    who, recording, fitted = known
    bins = len(recording.counts)
    true, found = (p.shared @ p.shared.T for p in (who, fitted))
    counting = np.linalg.inv((who.loadings.T / (who.baseline + who.private**2)) @ who.loadings)
    total = true + counting
    error = np.sqrt((np.outer(np.diag(total), np.diag(total)) + total**2) / bins)  # of a Wishart matrix
    assert (np.abs(found - true) < 4.5 * error).all()

    var = who.baseline + who.private**2 + np.einsum("iq,qr,ir->i", who.loadings, true, who.loadings)
    deviation = fitted.private**2 - who.private**2
    assert (np.abs(deviation) < 4.5 * np.sqrt(2 / bins) * var).all()
    assert abs(deviation.mean()) < 4.5 * np.sqrt(2 / bins / len(var)) * var.mean()


def test_the_twin_has_the_mean_counts_of_the_recording(known: Any) -> None:
    _, recording, fitted = known
    expected = factor_model.expected_counts(fitted, recording.direction)
    np.testing.assert_allclose(expected.mean(axis=0), recording.counts.mean(axis=0), rtol=1e-9)


def test_what_a_decoder_sees_of_mean_counts_is_kept_by_the_projection() -> None:
    who = individual()
    model = model_of(who)
    P = factor_model.projected(model["fa_loadings"], model["fa_private_var"])
    assert np.ptp(model["fa_private_var"]) > 1
    beta = intrinsic_manifold.posterior(model["fa_loadings"], model["fa_private_var"])
    np.testing.assert_allclose(P @ model["fa_loadings"], np.eye(3), atol=1e-12)
    np.testing.assert_allclose(beta @ model["fa_loadings"] @ P, beta, atol=1e-12)


def test_quiet_units_keep_their_mean_although_counts_cannot_fall_below_0() -> None:
    who = individual(mean=0.4)._replace(private=np.full(40, 0.3))
    recording = fit.check({**recorded(who, 4000), **model_of(who)})
    fitted = fit.population(recording, recording.factor_analysis)
    again = simulated(fitted, np.tile(recording.direction, 10), np.random.default_rng(3)).astype(float)
    error = np.sqrt(again.var(axis=0) / len(again))
    mean = recording.counts.mean(axis=0)
    assert (np.abs(again.mean(axis=0) - mean) < 4.5 * error).all()
    uncorrected = factor_model.expected_counts(fitted._replace(baseline=mean), recording.direction).mean(axis=0)
    assert (uncorrected > mean).all()
    assert (uncorrected > mean + 4.5 * error).mean() > 0.7


@pytest.mark.parametrize(("mean", "spread"), [(0.3, 0.5), (-0.4, 0.2), (2.0, 0.1)])
def test_rectified_mean_against_quadrature(mean: float, spread: float) -> None:
    found, above = factor_model.rectified(np.array(mean), np.array(spread))
    density = norm(mean, spread)
    np.testing.assert_allclose(
        found, quad(lambda x: x * density.pdf(x), 0, mean + 12 * spread, points=[mean])[0], atol=1e-8
    )
    np.testing.assert_allclose(above, density.sf(0.0))


def test_rectified_mean_without_spread() -> None:
    found, above = factor_model.rectified(np.array([-1.0, 0.0, 2.0]), np.zeros(3))
    np.testing.assert_array_equal(found, [0.0, 0.0, 2.0])
    np.testing.assert_array_equal(above, [0.0, 0.0, 1.0])


def test_covariances_of_exact_moments_are_exact() -> None:
    who = individual()
    model = model_of(who)
    P = factor_model.projected(model["fa_loadings"], model["fa_private_var"]) * model["count_scale"]
    shared, own = who.shared @ who.shared.T, who.private**2
    whole = who.loadings @ shared @ who.loadings.T + np.diag(who.baseline + own)
    found = factor_model.covariances(P @ whole @ P.T, np.diag(whole), who.baseline, who.loadings, P)
    np.testing.assert_allclose(found[0], shared, atol=1e-9)
    np.testing.assert_allclose(found[1], own, atol=1e-9)
    np.testing.assert_allclose(
        factor_model.square_root(shared) @ factor_model.square_root(shared).T, shared, atol=1e-12
    )


def test_counts_less_variable_than_poisson_counts_get_no_variance_of_their_own() -> None:
    who = individual()
    per_latent, P = who.loadings, np.linalg.pinv(who.loadings)
    shared, private = factor_model.covariances(np.zeros((3, 3)), 0.5 * who.baseline, who.baseline, per_latent, P)
    assert not shared.any()
    assert not private.any()


@pytest.mark.parametrize(("targets", "harmonics"), [(3, 1), (4, 1), (5, 2), (8, 3), (16, 3)])
def test_harmonics_are_those_the_targets_tell_apart(targets: int, harmonics: int) -> None:
    who = individual()
    arrays = recorded(who, 60 * targets)
    angles = 360 * np.arange(targets) / targets
    index = np.arange(60 * targets) % targets
    del arrays["cursor_to_target"]
    arrays |= {
        "target": index,
        "target_angle_deg": angles,
        "counts": simulated(who, np.deg2rad(angles[index]), np.random.default_rng(4)),
    }
    recording = fit.check({**arrays, **model_of(who)})
    np.testing.assert_allclose(recording.direction, np.deg2rad(angles[index]))
    assert fit.population(recording, recording.factor_analysis).tuning.shape == (2 * harmonics, 3)


# --- the decoder and the closed loop ----------------------------------------------------------------------------


def test_a_recording_of_counts_alone_becomes_a_closed_loop_that_reaches(tmp_path: Path) -> None:
    summary = fit.fit(saved(tmp_path, recorded(individual())), tmp_path / "out", factors=3)
    assert summary.fitted == ("factor analysis", "filter")
    assert (summary.bins, summary.units, summary.latents, summary.harmonics) == (2000, 40, 3, 3)
    written = protocol.load(summary.protocol)
    assert (written.name, written.timing.bin_s) == ("made-up", 0.05)
    assert written.population.file == summary.population  # type: ignore[attr-defined]
    assert success(trials(summary.protocol, "schedule.blocks.0.trials=24")) >= 0.9


def test_the_same_recording_gives_the_same_bytes(tmp_path: Path) -> None:
    path = saved(tmp_path, recorded(individual(), 400))
    made = [fit.fit(path, tmp_path / name, factors=3) for name in "ab"]
    for field in ("population", "decoder", "protocol"):
        assert getattr(made[0], field).read_bytes() == getattr(made[1], field).read_bytes()
    assert sorted(p.name for p in (tmp_path / "a").iterdir()) == ["decoder.npz", "population.npz", "protocol.toml"]


@pytest.mark.parametrize(("unit", "metres"), [("mm", 1e-3), ("cm", 1e-2), ("m", 1.0)])
def test_a_filter_in_another_unit_of_length_decodes_the_same_velocity(unit: str, metres: float) -> None:
    arrays = recorded(individual(), 400)
    si = fit.decoder(fit.check(arrays), 3)
    kinematic = {"kf_b": np.array([0.01, -0.02]), "kf_Q": si["kf_Q"], "kf_C": si["kf_C"]}
    si |= kinematic
    given = {
        **si,
        "kf_b": kinematic["kf_b"] / metres,
        "kf_Q": kinematic["kf_Q"] / metres**2,
        "kf_C": kinematic["kf_C"] * metres,
    }
    in_si = intrinsic_manifold.load(fit.decoder(fit.check({**arrays, **given}, unit))).mapping
    direct = intrinsic_manifold.load(given).mapping
    np.testing.assert_allclose(in_si.M1, direct.M1, rtol=1e-9)
    np.testing.assert_allclose(in_si.M2, direct.M2 * metres, rtol=1e-9)
    np.testing.assert_allclose(in_si.m0, direct.m0 * metres, rtol=1e-9)


def test_a_subject_knows_speed_and_lag_of_the_decoder() -> None:
    recording = fit.check(recorded(individual(), 400))
    mapped = intrinsic_manifold.load(fit.decoder(recording, 3))
    known = fit.subject(recording, mapped)
    assert known.max_speed_m_s == fit.MEANT_SPEED_M_S  # to which a filter without a speed of its own is scaled
    M1, M2, m0, *_ = mapped.mapping
    speeds = []
    for counts, direction in zip(recording.counts, recording.direction, strict=True):
        v = np.zeros(2)
        for _ in range(300):
            v = M1 @ v + M2 @ counts + m0
        speeds.append(v @ [np.cos(direction), np.sin(direction)])
    assert known.max_speed_m_s == pytest.approx(np.mean(speeds), rel=1e-3)
    assert np.exp(-recording.bin_s / known.lag_s) == pytest.approx(np.mean(np.diag(M1)), rel=1e-3)


# --- what does not fit is refused -------------------------------------------------------------------------------


def with_value(name: str, index: Any, value: float) -> Callable[[Arrays], None]:
    def change(arrays: Arrays) -> None:
        arrays[name] = np.array(arrays[name], dtype=float)
        arrays[name][index] = value

    return change


def without(*names: str) -> Callable[[Arrays], None]:
    def change(arrays: Arrays) -> None:
        for name in names:
            del arrays[name]

    return change


def replaced(name: str, function: Callable[[Any], Any]) -> Callable[[Arrays], None]:
    return lambda arrays: arrays.update({name: function(arrays[name])})


REFUSED: list[tuple[Callable[[Arrays], None], str, str]] = [
    (without("counts"), "counts", "missing: counts"),
    (without("target"), "target", "missing: target"),
    (without("bin_s"), "bin_s", "missing: bin_s"),
    (replaced("counts", lambda c: c[:, 0]), "counts", "expected any x any"),
    (replaced("counts", lambda c: c[:, :0]), "counts", "is empty"),
    (replaced("counts", lambda c: c.astype(str)), "counts", "expected real numbers"),
    (with_value("counts", (3, 4), np.nan), "counts", r"counts\[3, 4\] = nan"),
    (with_value("counts", (3, 4), 1.5), "counts", r"counts\[3, 4\] = 1.5: must be whole"),
    (with_value("counts", (3, 4), -1), "counts", "must be whole numbers from 0"),
    (replaced("target", lambda t: t[1:]), "target", r"shape \(399,\), expected 400"),
    (with_value("target", 7, 8), "target", r"target\[7\] = 8: must be an index 0..7"),
    (replaced("target", lambda t: t % 2), "target", "at least 3"),
    (with_value("target_angle_deg", 2, np.inf), "target_angle_deg", r"target_angle_deg\[2\] = inf"),
    (replaced("bin_s", lambda b: b * 0), "bin_s", "above 0"),
    (with_value("cursor_to_target", (5, slice(None)), 0), "cursor_to_target", r"\[5\]: has length 0, expected unit"),
    (without("fa_private_var"), "fa_private_var", "missing: fa_private_var"),
    (with_value("fa_private_var", 3, 0), "fa_private_var", r"fa_private_var\[3\] = 0: must be above 0"),
    (replaced("fa_loadings", lambda x: x[1:]), "fa_loadings", "expected 40 x any"),
    (replaced("fa_loadings", lambda x: x[:, [0, 1, 1]]), "fa_loadings", "only 2 of the 3 factors are independent"),
    (with_value("count_scale", 6, 0), "count_scale", r"count_scale\[6\]"),
    (without("kf_d"), "kf_d", "missing: kf_d"),
    (with_value("kf_C", (0, 1), np.nan), "kf_C", r"kf_C\[0, 1\] = nan"),
    (replaced("kf_R", lambda x: x[:2]), "kf_R", "expected 3 x 3"),
    (replaced("kf_R", lambda x: 0 * x), "kf_R", "singular"),
    (replaced("kf_C", lambda x: -x), "kf_C", "is the length unit right"),
    (without(*fit.FACTOR_ANALYSIS), "fa_loadings", "needs the model"),
    (lambda arrays: arrays.update(cursor_radius_mm=np.array(30.0)), "cursor_radius_mm", "below target_radius_mm = 20"),
]


@pytest.fixture(scope="module")
def whole() -> Arrays:
    """A recording with everything, in metres."""
    arrays = recorded(individual(), 400)
    return {**arrays, **fit.decoder(fit.check(arrays), 3)}


@pytest.mark.parametrize(("change", "field", "message"), REFUSED)
def test_what_does_not_fit_is_named_and_nothing_written(
    change: Callable[[Arrays], None], field: str, message: str, whole: Arrays, tmp_path: Path
) -> None:
    arrays = dict(whole)
    change(arrays)
    path = saved(tmp_path, arrays)
    with pytest.raises((ArrayError, NumericalError), match=message) as raised:
        fit.fit(path, tmp_path / "out", length_unit="m")
    assert raised.value.field == field
    assert str(path) in str(raised.value)
    assert not (tmp_path / "out").exists()


def test_the_whole_recording_is_not_refused(whole: Arrays, tmp_path: Path) -> None:
    assert fit.fit(saved(tmp_path, whole), tmp_path / "out", length_unit="m").fitted == ()


@pytest.mark.parametrize(
    ("arguments", "field", "message"),
    [
        ({"length_unit": "inch"}, "length_unit", "one of m, cm, mm"),
        ({"length_unit": "mm"}, "kf_C", "is the length unit right"),
        ({"length_unit": "m", "bin_ticks": 0}, "bin_ticks", "at least 1"),
        ({"length_unit": "m", "bin_ticks": 100}, "tick_s", "tick_s is bin_s / bin_ticks, 0.05 s / 100"),
        ({"length_unit": "m", "factors": 0}, "factors", "from 1 to 100"),
    ],
)
def test_arguments_no_session_can_have_are_refused(
    arguments: dict[str, Any], field: str, message: str, whole: Arrays, tmp_path: Path
) -> None:
    with pytest.raises((NumericalError, ProtocolError), match=message) as raised:
        fit.fit(saved(tmp_path, whole), tmp_path / "out", **arguments)
    assert raised.value.field == field
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("bins", [0, 41, 79])
def test_too_few_bins_are_refused(bins: int, tmp_path: Path) -> None:
    per_bin = ("counts", "target", "cursor_to_target")
    arrays = {name: value[:bins] if name in per_bin else value for name, value in recorded(individual(), 400).items()}
    with pytest.raises(ArrayError, match="counts: ") as raised:
        fit.fit(saved(tmp_path, arrays), tmp_path / "out", factors=3)
    assert raised.value.field == "counts"
    assert not (tmp_path / "out").exists()


def test_targets_with_one_direction_twice_are_refused(tmp_path: Path) -> None:
    arrays = recorded(individual(), 400)
    del arrays["cursor_to_target"]
    arrays["target_angle_deg"] = np.array([0, 0, 90, 90, 180, 180, 270, 270])
    with pytest.raises(NumericalError, match="target_angle_deg: the directions do not tell 3 harmonics apart"):
        fit.fit(saved(tmp_path, arrays), tmp_path / "out", factors=3)


def test_more_factors_than_the_counts_hold_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DecoderdError, match="counts: 400 bins x 40 units are too few for 40 factors"):
        fit.fit(saved(tmp_path, recorded(individual(), 400)), tmp_path / "out", factors=40)


def test_a_file_that_is_no_recording_is_refused(tmp_path: Path) -> None:
    (tmp_path / "text.npz").write_text("no arrays")
    for name, message in (("text.npz", "not a readable .npz"), ("gone.npz", "no such file")):
        with pytest.raises(ArrayError, match=message):
            fit.fit(tmp_path / name, tmp_path / "out")


def test_a_folder_that_takes_no_files_is_refused_and_left_as_it_was(tmp_path: Path, whole: Arrays) -> None:
    path, out = saved(tmp_path, whole), tmp_path / "out"
    out.write_text("a file")
    with pytest.raises(ArrayError, match="cannot be written"):
        fit.fit(path, out, length_unit="m")
    assert out.read_text() == "a file"


def test_a_failed_write_leaves_no_part_of_a_file(
    tmp_path: Path, whole: Arrays, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, out = saved(tmp_path, whole), tmp_path / "out"
    write = Path.write_bytes

    def full_disk(self: Path, data: bytes) -> int:
        if "decoder" in self.name:
            write(self, data[:100])
            raise OSError(28, "No space left on device")
        return write(self, data)

    monkeypatch.setattr(Path, "write_bytes", full_disk)
    with pytest.raises(ArrayError, match="No space left"):
        fit.fit(path, out, length_unit="m")
    assert list(out.iterdir()) == []


# --- a real recording -------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def recording() -> Path:
    """Monkey J's calibration, where the environment says that it is."""
    shared = os.environ.get("DECODERD_SHARED")
    if not shared:
        pytest.skip("DECODERD_SHARED is not set: it names the folder that holds data/jeffy_20120305")
    path = Path(shared) / "data" / "jeffy_20120305" / "calibration.npz"
    if not path.is_file():
        pytest.skip(f"{path} is not there")
    return path


@pytest.fixture(scope="module")
def real(recording: Path) -> Arrays:
    """Its arrays."""
    return load_npz(recording)


@pytest.fixture(scope="module")
def made(recording: Path, tmp_path_factory: pytest.TempPathFactory) -> fit.Summary:
    """What `fit` makes of it."""
    return fit.fit(recording, tmp_path_factory.mktemp("fitted"))


def test_real_identities_hold_from_filter_and_factor_analysis_alone(real: Arrays) -> None:
    names = (*intrinsic_manifold.FILTER, *intrinsic_manifold.FACTORS)
    loaded = intrinsic_manifold.load({name: real[name] for name in names})
    mapping = loaded.mapping
    counts = real["counts"].astype(float)
    for found, recorded_value in (
        (loaded.posterior, real["fa_posterior"]),
        (loaded.K, real["kf_K"]),
        (mapping.M1, real["M1"]),
        (mapping.M2, real["M2"]),
        (mapping.m0, real["m0"]),
        (counts @ mapping.M2.T + mapping.m0, real["single_step_velocity"]),
    ):
        np.testing.assert_allclose(found, recorded_value, rtol=0, atol=1e-6)


def test_real_decoder_written_in_si_units_is_the_recorded_one(real: Arrays, made: fit.Summary) -> None:
    mapping = intrinsic_manifold.load(load_npz(made.decoder)).mapping
    np.testing.assert_allclose(mapping.M1, real["M1"], rtol=0, atol=1e-9)
    velocity = real["counts"] @ mapping.M2.T + mapping.m0
    np.testing.assert_allclose(velocity, real["single_step_velocity"] * 1e-3, rtol=0, atol=1e-9)
    np.testing.assert_array_equal(np.round(made.progress_m * 1e3, 2), [4.20, 4.91, 4.90, 4.64, 3.66, 1.78, 2.63, 3.08])


def test_real_twin_fires_and_progresses_like_the_recording(real: Arrays, made: fit.Summary) -> None:
    config = manifold.ManifoldConfig(file=made.population)
    who = manifold.load(config, np.random.default_rng(), load_npz(made.population))
    toward, target = real["cursor_to_target"], real["target"]
    direction = np.arctan2(toward[:, 1], toward[:, 0])
    rng = np.random.default_rng(5)
    mean = np.mean([simulated(who, direction, rng) for _ in range(100)], axis=0)
    tuning = [np.stack([counts[target == k].mean(axis=0) for k in range(8)]) for counts in (real["counts"], mean)]
    assert np.corrcoef(tuning[0].ravel(), tuning[1].ravel())[0, 1] >= 0.95
    # The units' different means make that easy. Without them, the recording correlates with its twin as well as
    # ten factors that were fitted to another hour let it; a recording simulated from the twin reaches 0.90.
    own = [means - means.mean(axis=0) for means in tuning]
    correlation = np.corrcoef(own[0].ravel(), own[1].ravel())[0, 1]
    assert correlation >= 0.8
    assert correlation == pytest.approx(made.tuning_correlation, abs=0.01)

    velocity = mean @ real["M2"].T + real["m0"]
    progress = (velocity * toward).sum(axis=1) * real["bin_s"]
    of_recording = (real["single_step_velocity"] * toward).sum(axis=1) * real["bin_s"]
    assert progress.mean() == pytest.approx(of_recording.mean(), rel=0.1)
    for k in range(8):
        assert progress[target == k].mean() == pytest.approx(of_recording[target == k].mean(), rel=0.2)
    np.testing.assert_allclose(made.twin_progress_m * 1e3, [progress[target == k].mean() for k in range(8)], rtol=0.1)


def test_real_counts_vary_as_the_twins_do_where_the_decoder_looks(real: Arrays, made: fit.Summary) -> None:
    config = manifold.ManifoldConfig(file=made.population)
    who = manifold.load(config, np.random.default_rng(), load_npz(made.population))
    toward, target = real["cursor_to_target"], real["target"]
    direction = np.arctan2(toward[:, 1], toward[:, 0])
    rng = np.random.default_rng(6)

    def spread(counts: Any) -> Any:
        velocity = counts @ real["M2"].T
        return np.mean([velocity[target == k].var(axis=0) for k in range(8)], axis=0) ** 0.5

    twins = np.mean([spread(simulated(who, direction, rng)) for _ in range(20)], axis=0)
    np.testing.assert_allclose(twins, spread(real["counts"]), rtol=0.15)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_real_twin_acquires_targets_through_the_real_decoder(made: fit.Summary, seed: int) -> None:
    ended = trials(made.protocol, f"seed={seed}", "schedule.blocks.0.trials=40")
    assert sorted({trial["g"] for trial in ended}) == list(range(8))
    assert success(ended) >= 0.9
