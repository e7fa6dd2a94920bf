"""The published experiment as a service: a session of the static network with the manifold plug-in."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from decoderd.experiments.manifold import training
from decoderd.experiments.manifold.static_network import Rates
from decoderd.recording.reader import open_session
from decoderd_client import Session
from decoderd_plugins.manifold import Config, runner
from tests.learners import reaching
from tests.service.serving import replayed, served, wait_for
from tests.static_network import SCALE, K, files

CALIBRATION, INJECT, UPDATES, RATE = 8 * K, 12 * K + 1, 60, 0.02
FIELDS = {
    "calibration_trials": CALIBRATION,
    "inject_at": f"trial={INJECT}",
    "factors": 3,
    "candidates": 200,
    "centred": False,
    "window": 2 * K,
}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """By kind: the network before the session, the directory of the session, and the plug-in's JSON."""

    def one(kind):
        folder = tmp_path_factory.mktemp(kind)
        files_of, network = files(folder)
        data = reaching(**files_of)
        data["schedule"]["blocks"] = [
            {"name": "before", "trials": INJECT - 1, "plasticity": False},
            {"name": "learning", "trials": UPDATES * K},
        ]
        with (
            served(folder, data, "--speed", "lockstep", "--participant", "manifold=trial") as (control, directory, _),
            Session(control) as session,
        ):
            runner.run_live(session, Config(kind=kind, out=folder / "out", **FIELDS), lambda line: None)
            wait_for(lambda: session.describe()["state"] == "done")
        return network, directory, json.loads((folder / "out" / "manifold.json").read_text())

    with pytest.MonkeyPatch.context() as patch, ThreadPoolExecutor(2) as pool:
        patch.setattr(runner, "find_spec", lambda name: None)
        return dict(zip(("wmp", "omp"), pool.map(one, ("wmp", "omp")), strict=True))


def installed(directory):
    """(tick, M2) of the decoders that the plug-in gave."""
    with open_session(directory) as recorded:
        given = [(tick, one["arrays"]) for tick, one in recorded.journal() if one["op"] == "decoder"]
    assert all(not np.frombuffer(arrays["m0"]["data"]).any() for _, arrays in given)
    return [(tick, np.frombuffer(arrays["M2"]["data"]).reshape(arrays["M2"]["shape"])) for tick, arrays in given]


@pytest.mark.parametrize("kind", ["wmp", "omp"])
def test_losses_are_those_of_the_network_in_process(run, kind):
    network, directory, _ = run[kind]
    (_, intuitive), (tick, perturbed) = installed(directory)
    with open_session(directory) as recorded:
        trials = {trial["r"]: trial for trial in list(recorded.payloads("trial"))}
        losses = [payload["l"] for payload in list(recorded.payloads("plasticity"))]
    assert trials[INJECT - 1]["k"] < tick <= trials[INJECT]["a"] + 1
    trained = training.train(network._replace(V=perturbed[np.newaxis] / SCALE), Rates(np.array([RATE])), UPDATES)
    np.testing.assert_allclose(losses, trained.losses[0, :-1], rtol=0, atol=1e-9)
    before = training.train(network._replace(V=intuitive[np.newaxis] / SCALE), Rates(np.array([RATE])), 1)
    assert losses[0] > 2 * before.losses[0, 0]  # it was perturbed
    assert losses[-1] < 0.7 * losses[0]  # and the loss fell by learning


@pytest.mark.parametrize("kind", ["wmp", "omp"])
def test_the_perturbation_is_of_its_kind(run, kind):
    """Within, it reads the same axes as the intuitive decoder; outside, the same units in another order."""
    _, directory, found = run[kind]
    (_, intuitive), (_, perturbed) = installed(directory)
    order = found["fit"]["pair"][kind]["order"]
    if kind == "omp":
        np.testing.assert_array_equal(perturbed, intuitive[:, order])
        return
    assert len(order) == 3
    sizes = np.linalg.svd(np.vstack([intuitive, perturbed]), compute_uv=False)
    assert (sizes > 1e-9 * sizes[0]).sum() <= 3
    assert not np.allclose(intuitive, perturbed)


@pytest.mark.parametrize("kind", ["wmp", "omp"])
def test_the_session_replays_byte_for_byte(run, kind):
    assert replayed(run[kind][1])["identical"] is True
