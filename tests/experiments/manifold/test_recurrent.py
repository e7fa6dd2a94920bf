"""Manifold perturbations of a recurrent network, on a small one."""

import json

import numpy as np
import pytest
from typer.testing import CliRunner

from decoderd.cli.reproduce import reproduce
from decoderd.experiments import pretrained
from decoderd.experiments.manifold import recurrent
from decoderd.preparation.calibration import calibrate
from decoderd.preparation.parameters import prepare
from decoderd.protocol import protocol
from tests import protocols
from tests.experiments.small import small

UPDATES = 30


@pytest.fixture
def small_recipe(monkeypatch):
    """Twelve units, four targets, a manifold of three dimensions, a few candidates."""
    data = small("backprop", "linear")
    del data["readouts"], data["updater"]
    data["schedule"] = {"blocks": [{"name": "practice", "trials": UPDATES * 4}]}
    data["pretraining"] |= {"loss_at_most": 1e9, "updates": 40}
    parsed = protocol.parse(data)
    monkeypatch.setattr(pretrained, "load_recipe", lambda name: parsed)
    monkeypatch.setattr(recurrent, "DIMENSION", 3)
    monkeypatch.setattr(recurrent, "TRIED", 6)
    monkeypatch.setattr(recurrent, "AT_ONCE", 4)
    return parsed


def individual(regime, seed):
    own = recurrent.recipe(regime).model_copy(update={"seed": seed})
    return own, prepare(own)


def test_the_shipped_recipe_is_lazy():
    shipped = pretrained.load_recipe(recurrent.RECIPE)
    assert shipped == recurrent.recipe("lazy")
    assert recurrent.recipe("rich").population.recurrent_weights.normal == (0.0, 0.01)


def test_decoders_are_within_and_outside_the_manifold(small_recipe):
    own, parameters = individual("lazy", 3)
    three, held = recurrent.perturbed_decoders(own, 3, parameters)
    counts = calibrate(own, parameters.population).counts
    _, sizes, rows = np.linalg.svd(counts - counts.mean(axis=0), full_matrices=False)
    axes, away = rows[:3], rows[3:]
    assert held == pytest.approx((sizes[:3] ** 2).sum() / (sizes**2).sum())
    intuitive, within, outside = (decoder.M2 for decoder in three)
    for readout in (intuitive, within):
        assert np.abs(readout @ away.T).max() < 1e-9 * np.abs(readout).max()
    assert np.abs(outside @ away.T).max() > 1e-2 * np.abs(outside).max()
    coordinates = [np.sort(np.abs(readout @ axes.T)[0]) for readout in (intuitive, within)]
    np.testing.assert_allclose(coordinates[0], coordinates[1])  # the same gains, of other axes, whose signs are free
    np.testing.assert_allclose(np.sort(outside[0]), np.sort(intuitive[0]))  # the same weights, of other units
    for decoder in three:
        np.testing.assert_allclose(decoder.M2 @ counts.mean(axis=0) + decoder.m0, 0, atol=1e-12)


def test_the_intuitive_decoder_is_the_best_within_the_manifold(small_recipe):
    """Against least squares on the manifold's coordinates, computed here independently."""
    own, parameters = individual("lazy", 3)
    counts = calibrate(own, parameters.population).counts
    centred = counts - counts.mean(axis=0)
    axes = np.linalg.svd(centred, full_matrices=False)[2][:3]
    coordinates = np.linalg.lstsq(centred @ axes.T, centred @ parameters.decoder.M2.T, rcond=None)[0].T
    three, _ = recurrent.perturbed_decoders(own, 3, parameters)
    np.testing.assert_allclose(three[0].M2, coordinates @ axes, rtol=1e-6, atol=1e-9)


def test_a_session_under_the_chosen_decoder_has_the_same_losses(small_recipe, tmp_path):
    """The batch has the losses of a session in which that decoder is read from a file."""
    found = recurrent.learn("rich", (3, 8))
    own, parameters = individual("rich", 8)
    three, _ = recurrent.perturbed_decoders(own, 8, parameters)
    assert found.losses.shape == (2, 3, UPDATES)
    for place, decoder in enumerate(three):
        path = tmp_path / f"{place}.npz"
        np.savez(path, **decoder._asdict())
        data = own.model_dump(mode="json", exclude_unset=True)
        data["decoder"] = {"kind": "linear", "file": str(path)}
        losses = [payload["l"] for payload in protocols.run(data).of("plasticity")]
        np.testing.assert_allclose(found.losses[1, place], losses, rtol=1e-9)


def test_bands_and_intervals_of_known_losses():
    """Losses that fall to a hundredth (intuitive), a half (WMP) and not at all (OMP)."""
    falls = np.array([0.01, 0.5, 1.0])
    losses = np.ones((8, 3, 100)) * (1 + 0.1 * np.arange(8))[:, None, None]
    losses[..., 50:] *= falls[:, None]
    made = recurrent.LearningResult(np.arange(8), losses, np.full(8, 0.9), np.ones((8, 3)))
    bands = {band.name: band for band in recurrent.bands("lazy", made)}
    assert all(band.ok for name, band in bands.items() if "tenth" not in name and "not more" not in name)
    left = bands["lazy: loss left of the OMP over that of the WMP, log10"]
    assert left.value == pytest.approx(np.log10(2))
    assert bands["lazy: p that the OMP's is not larger"].value == pytest.approx(2**-8)
    assert recurrent.updates_to_a_tenth(made).tolist() == [[50, 100, 100]] * 8
    made.losses[:, 1, 70:] = 0.09 * made.losses[:, 1, :1]
    made.losses[:, 2, 80:] = 0.05 * made.losses[:, 2, :1]
    later = {band.name: band for band in recurrent.bands("lazy", made)}
    assert later["lazy: updates to a tenth of the loss, OMP less WMP"].value == 10
    assert later["lazy: p that the OMP's are not more"].value == pytest.approx(2**-8)
    text = recurrent.intervals("lazy", made)
    assert text["lazy, intuitive: loss left, log10"].startswith("-2 (-2 to -2")


def test_the_command_writes_a_page(small_recipe, tmp_path):
    arguments = ["recurrent", "--seeds", "2", "--jobs", "1", "--out", str(tmp_path), "--json"]
    done = CliRunner().invoke(reproduce, arguments)
    assert done.exit_code == 0, done.output
    printed = json.loads(done.stdout.splitlines()[-1])
    assert len(printed["bands"]) == 10
    assert "rich, OMP: loss left, log10" in (tmp_path / "recurrent.html").read_text()
