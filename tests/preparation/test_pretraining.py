"""Populations that learn to reach before a session, and the cache that stores them."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from decoderd import registry
from decoderd.errors import ProtocolError
from decoderd.preparation import pretraining
from decoderd.preparation.parameters import individual, prepare
from decoderd.protocol import protocol
from tests.learners import FIELDS, PRETRAINING, learning, same_parts
from tests.preparation.training import parsed, trained

ALL = ("E", "c", "V", *FIELDS)


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """An empty cache."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "decoderd" / "pretrained"


def forbid_training(monkeypatch):
    def train(*given):
        raise AssertionError("trained again")

    monkeypatch.setattr(pretraining, "train", train)


@pytest.mark.parametrize(
    ("effector", "rule", "updates"),
    [("point_mass", "backprop", 80), ("two_link_arm", "backprop", 80), ("point_mass", "reinforce", 400)],
)
def test_the_loss_falls(cache, effector, rule, updates):
    rate = {"rate": 0.01}
    found = trained(
        parsed(effector={"kind": effector}, plasticity={"kind": rule, "adam": rate}, updates=updates), seeds=(1, 2, 3)
    )
    first, last = (np.mean([one.losses[part].mean() for one in found]) for part in (slice(20), slice(-20, None)))
    assert all(one.losses.shape == (updates,) for one in found)
    assert last < 0.8 * first


def test_fixed_parameters_do_not_change(cache):
    of = parsed()
    before, (after,) = individual(of), trained(of)
    assert same_parts(before, after.population, ("E", "c", "V"))
    for field in FIELDS:
        assert not same_parts(before, after.population, (field,))


def test_the_loss_of_a_trial_is_that_of_its_reach(cache):
    """The first update's loss, of a network that has learned nothing, from the cursor and by the formula."""
    of = parsed(updates=1, plasticity={"kind": "backprop", "objective": {"effort_weight": 3.0}})
    kind, (one,) = registry.find("populations", "rnn"), trained(of)
    several = type(one.population)(*(field[np.newaxis] for field in individual(of)))
    control = pretraining.manual(of.pretraining, kind, of.population, several, of.timing, 4)
    noise = pretraining.TrialStreams("pretraining", (4,), kind, control.loop.population_plan, several)
    fired = []
    trajectory = pretraining.reach(control, several, noise, 0, fired)
    losses = []
    for k, (x, y) in enumerate([(0.07, 0.0), (0.0, 0.07), (-0.07, 0.0), (0.0, -0.07)]):
        px, py, vx, vy = trajectory.cursors[-1, 0, k]
        effort = np.mean(np.sum(trajectory.decoded[:, 0, k] ** 2, axis=1))
        losses.append(((px - x) ** 2 + (py - y) ** 2) / 0.01**2 + 0.1 * (vx**2 + vy**2) / 0.02**2 + 1.5 * effort)
        rates = np.stack([tick["counts"] for tick in fired])[:, 0, k]  # one count a rate, at 10 ms and 100 Hz a rate
        np.testing.assert_allclose(trajectory.decoded[:, 0, k], rates @ several.V[0].T, rtol=1e-10)
    assert one.losses[0] == pytest.approx(np.mean(losses), rel=1e-10)


@pytest.mark.parametrize("network", [{}, {"precision": "single", "units": 100, "encoder_units": 100}])
def test_a_batch_of_populations_is_trained_as_each_alone(cache, monkeypatch, tmp_path, network):
    """To the last bit."""
    fields = learning()
    fields["population"], fields["pretraining"] = {**fields["population"], **network}, {**PRETRAINING, "updates": 20}
    of = protocol.parse(fields)
    together = trained(of, (4, 5, 6))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "another"))
    for seed, one in zip((4, 5, 6), together, strict=True):
        (alone,) = trained(of, (seed,))
        np.testing.assert_array_equal(one.losses, alone.losses)
        for field in ALL:
            np.testing.assert_array_equal(getattr(one.population, field), getattr(alone.population, field))
    assert (together[0].losses != together[1].losses).all()


# --- the cache --------------------------------------------------------------------------------------------------


def test_the_cache_returns_the_trained_population(cache, monkeypatch):
    of = parsed()
    (first,) = trained(of)
    assert len(list(cache.iterdir())) == 1
    forbid_training(monkeypatch)
    (again,) = trained(of)
    assert same_parts(first.population, again.population, ALL)
    assert first.losses.tobytes() == again.losses.tobytes()
    for field in ALL:
        assert getattr(first.population, field).flags.c_contiguous  # or a session would differ in its last bits
        assert getattr(again.population, field).flags.c_contiguous


def test_only_populations_not_in_the_cache_are_trained(cache, monkeypatch):
    of, seen = parsed(), []
    apart = trained(of, (4,))[0]
    real = pretraining.train
    monkeypatch.setattr(pretraining, "train", lambda *given: seen.append(given[5]) or real(*given))
    together = trained(of, (3, 4, 5))
    assert seen == [(3, 5)]
    assert same_parts(apart.population, together[1].population, ALL)


@pytest.mark.parametrize(
    "changed",
    [
        {"updates": 4},
        {"distance_m": 0.06},
        {"effector": {"kind": "point_mass", "mass_kg": 2.0}},
        {"plasticity": {"kind": "backprop", "adam": {"rate": 0.002}}},
    ],
)
def test_the_fingerprint_depends_on_every_setting_of_training(cache, changed):
    one, other = trained(parsed())[0], trained(parsed(**changed))[0]
    assert len(list(cache.iterdir())) == 2
    assert not same_parts(one.population, other.population)


def test_the_fingerprint_does_not_depend_on_the_limit_of_the_loss(cache, monkeypatch):
    trained(parsed())
    forbid_training(monkeypatch)
    trained(parsed(loss_at_most=1e6))


SPOILT = {
    "garbage": lambda path: path.write_bytes(b"not an archive"),
    "empty": lambda path: path.write_bytes(b""),
    "cut short": lambda path: path.write_bytes(path.read_bytes()[: path.stat().st_size // 2]),
    "something else": lambda path: np.savez(path, counts=np.zeros(3)),
    "one array": lambda path: path.write_bytes(b"\x93NUMPY"),
    "another's shape": lambda path: np.savez(path, **{**np.load(path), "W": np.zeros((5, 5))}),
    "not finite": lambda path: np.savez(path, **{**np.load(path), "b": np.full(8, np.nan)}),
    "objects": lambda path: np.savez(path, **{**np.load(path), "b": np.array([{}] * 8)}),
    "other losses": lambda path: np.savez(path, **{**np.load(path), "losses": np.zeros(2)}),
}


@pytest.mark.parametrize("how", SPOILT)
def test_a_corrupt_file_in_the_cache_is_replaced(cache, monkeypatch, how):
    of = parsed()
    (first,) = trained(of)
    (file,) = cache.iterdir()
    SPOILT[how](file)
    (again,) = trained(of)
    assert same_parts(first.population, again.population, ALL)
    assert list(cache.iterdir()) == [file]
    forbid_training(monkeypatch)
    assert same_parts(first.population, trained(of)[0].population, ALL)


def test_training_works_without_a_writable_cache(tmp_path, monkeypatch, caplog):
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    one, again = trained(parsed())[0], trained(parsed())[0]
    assert same_parts(one.population, again.population, ALL)
    assert (tmp_path / "file").read_text() == "no folder"
    assert len(caplog.messages) == 1
    assert f"is not kept for the next time: {tmp_path / 'file'}" in caplog.text


def test_training_works_for_a_user_without_a_home(monkeypatch, caplog):
    def no_home():
        raise RuntimeError("Could not determine home directory.")  # as Path.home() without HOME and entry in passwd

    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setattr(pretraining.cache.Path, "home", no_home)
    pretraining.cache._warn.cache_clear()
    one, again = trained(parsed())[0], trained(parsed())[0]
    assert same_parts(one.population, again.population, ALL)
    assert len(caplog.messages) == 1
    assert "the user has no home; XDG_CACHE_HOME or HOME gives one" in caplog.text


def test_a_full_disk_leaves_no_incomplete_file(cache, monkeypatch):
    def savez(stream, **arrays):
        stream.write(b"half of it")
        raise OSError(errno.ENOSPC, "no space left on device")

    monkeypatch.setattr(pretraining.np, "savez", savez)
    assert trained(parsed())[0].losses.shape == (3,)
    assert list(cache.iterdir()) == []


# --- interrupted training

INTERRUPTED = """
import os, signal
from decoderd.preparation import pretraining
from tests.preparation.training import parsed, trained
pretraining.KEEP_EVERY = 10
trained(parsed(updates=40), (4, 5), lambda done: os.kill(os.getpid(), signal.SIGKILL) if done == 25 else None)
"""


def killed():
    """A process that is killed after 25 of 40 updates of two individuals, the last ten of which it has kept."""
    done = subprocess.run([sys.executable, "-c", INTERRUPTED], cwd=Path(__file__).parents[2], check=False)
    assert done.returncode == -signal.SIGKILL


def test_interrupted_training_continues_from_its_last_state(cache, monkeypatch, tmp_path):
    """The result is the same to the bit, and no file of interrupted training remains."""
    killed()
    (kept,) = cache.iterdir()
    assert kept.suffix == ".unfinished"
    seen = []
    together = trained(parsed(updates=40), (4, 5), seen.append)
    assert seen == list(range(21, 41))
    assert sorted(path.suffix for path in cache.iterdir()) == [".npz", ".npz"]
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "another"))
    for one, whole in zip(together, trained(parsed(updates=40), (4, 5)), strict=True):
        assert one.losses.tobytes() == whole.losses.tobytes()
        assert same_parts(one.population, whole.population, ALL)


@pytest.mark.parametrize("of", [{"updates": 50}, {"updates": 40, "distance_m": 0.06}])
def test_the_state_of_another_training_is_not_used(cache, of):
    killed()
    seen = []
    trained(parsed(**of), (4, 5), seen.append)
    assert seen[0] == 1


@pytest.mark.parametrize(
    "spoil",
    [lambda data: b"", lambda data: data[:-7], lambda data: data[:200] + bytes([data[200] ^ 1]) + data[201:]],
    ids=["empty", "cut short", "a bit turned over"],
)
def test_training_with_an_unreadable_state_starts_again(cache, spoil):
    killed()
    (kept,) = cache.iterdir()
    kept.write_bytes(spoil(kept.read_bytes()))
    seen = []
    trained(parsed(updates=40), (4, 5), seen.append)
    assert seen == list(range(1, 41))


@pytest.mark.parametrize(("given", "expected"), [("/a/place", "/a/place"), ("", "/home/me/.cache")])
def test_the_folder_of_the_cache(given, expected):
    code = "from decoderd.preparation.cache import folder; print(folder())"
    environment = {**os.environ, "XDG_CACHE_HOME": given, "HOME": "/home/me"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == f"{expected}/decoderd/pretrained"


# --- in a protocol ----------------------------------------------------------------------------------------------


def test_a_session_has_the_trained_population(cache):
    parameters, (one,) = prepare(parsed()), trained(parsed())
    assert same_parts(parameters.population, one.population, ALL)


def test_a_population_that_did_not_learn_to_reach_is_refused(cache):
    loss = pretraining.final_loss(trained(parsed())[0])
    prepare(parsed(loss_at_most=loss * 1.01))
    with pytest.raises(ProtocolError, match=f"seed 4 did not learn to reach, its loss is {loss:.3g}") as caught:
        prepare(parsed(loss_at_most=loss * 0.99))
    assert caught.value.field == "pretraining.loss_at_most"


def test_the_final_loss_is_of_the_last_hundred_updates():
    losses = np.concatenate([np.full(50, 9.0), np.arange(100.0)])
    assert pretraining.final_loss(pretraining.Pretrained(None, losses)) == np.arange(100).mean()
    assert pretraining.final_loss(pretraining.Pretrained(None, np.array([1.0, 3.0]))) == 2.0


def test_a_population_without_an_arm_is_refused(cache):
    data = {**learning("none", rule=None), "plasticity": {"kind": "none"}, "population": {"kind": "tuned", "units": 8}}
    with pytest.raises(ProtocolError, match="a population of kind 'tuned' cannot move an arm"):
        prepare(protocol.parse(data))


def test_a_calibration_needs_an_arm(cache):
    data = learning()
    del data["pretraining"]
    with pytest.raises(ProtocolError, match="no pretraining that says which arm"):
        prepare(protocol.parse(data))


@pytest.mark.parametrize("bin_ticks", [1, 5])
def test_a_calibration_is_of_reaches_with_the_arm(cache, bin_ticks):
    """Counts add up over bins, velocity is their mean, and both are of the same reaches, tick by tick."""
    of = protocol.parse({**learning(bin_ticks=bin_ticks)})
    kind, population = registry.find("populations", "rnn"), trained(of)[0].population
    made = [
        pretraining.recorded(of.pretraining, kind, of.population, population, of.timing._replace(bin_ticks=ticks), 4, 8)
        for ticks in (1, bin_ticks)
    ]
    single, binned = made
    assert len(single.counts) == 8 * 30
    assert len(binned.counts) == 8 * (30 // bin_ticks)
    shape = (len(binned.counts), bin_ticks, -1)
    np.testing.assert_allclose(binned.counts, single.counts.reshape(shape).sum(axis=1))
    np.testing.assert_allclose(binned.velocity, single.velocity.reshape(shape).mean(axis=1))
    np.testing.assert_allclose(binned.position, single.position.reshape(shape)[:, -1])
    np.testing.assert_array_equal(binned.trial, np.repeat(np.arange(8), 30 // bin_ticks))
