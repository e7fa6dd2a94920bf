"""`decoderd decode`, in processes of its own, against plain recursions."""

from __future__ import annotations

import numpy as np
import pytest

from tests.running import cli, contents, failure, summary


def plain_kalman(a, counts, x, P):
    """Textbook recursion with a matrix inverse."""
    rows = []
    for y in counts:
        x, P = a["A"] @ x, a["A"] @ P @ a["A"].T + a["W"]
        K = P @ a["C"].T @ np.linalg.inv(a["C"] @ P @ a["C"].T + a["Q"])
        x, P = x + K @ (y - a["C"] @ x), (np.eye(len(P)) - K @ a["C"]) @ P
        rows.append(x)
    return np.array(rows)


def plain_steady_state(a, counts, x):
    """The gain of a long recursion, used from the first bin on."""
    P = np.zeros_like(a["A"])
    for _ in range(3000):
        prior = a["A"] @ P @ a["A"].T + a["W"]
        K = prior @ a["C"].T @ np.linalg.inv(a["C"] @ prior @ a["C"].T + a["Q"])
        P = (np.eye(len(P)) - K @ a["C"]) @ prior
    rows = []
    for y in counts:
        x = a["A"] @ x
        x = x + K @ (y - a["C"] @ x)
        rows.append(x)
    return np.array(rows)


def plain_manifold(a, counts, v):
    """Factor by factor, as in the paper."""
    L, Psi = a["fa_loadings"], np.diag(a["fa_private_var"])
    beta = L.T @ np.linalg.inv(L @ L.T + Psi)
    P = np.zeros((2, 2))
    for _ in range(3000):
        prior = a["kf_A"] @ P @ a["kf_A"].T + a["kf_Q"]
        K = prior @ a["kf_C"].T @ np.linalg.inv(a["kf_C"] @ prior @ a["kf_C"].T + a["kf_R"])
        P = (np.eye(2) - K @ a["kf_C"]) @ prior
    rows = []
    for y in counts:
        z = a["factor_scale"] * (beta @ (a["count_scale"] * (y - a["count_mean"])) - a["factor_mean"])
        v = a["kf_A"] @ v + a["kf_b"]
        v = v + K @ (z - a["kf_C"] @ v - a["kf_d"])
        rows.append(v)
    return np.array(rows)


def plain_linear(a, counts, v):
    rows = []
    for y in counts:
        v = a["M1"] @ v + a["M2"] @ y + a["m0"]
        rows.append(v)
    return np.array(rows)


def kalman_arrays(draw):
    A = np.eye(5)
    A[0, 2] = A[1, 3] = 0.05
    A[2, 2] = A[3, 3] = 0.9
    mixing = draw.normal(size=(6, 6))
    C = np.column_stack([draw.normal(0, 5, (6, 2)), draw.normal(0, 20, (6, 2)), draw.uniform(1, 5, 6)])
    return {"A": A, "W": np.diag([0, 0, 4e-4, 4e-4, 0]), "C": C, "Q": mixing @ mixing.T + 2 * np.eye(6)}


def manifold_arrays(draw):
    mixing = draw.normal(size=(3, 3))
    return {
        "count_mean": draw.uniform(1, 5, 6),
        "count_scale": draw.uniform(0.3, 1, 6),
        "fa_loadings": draw.normal(0, 0.6, (6, 3)),
        "fa_private_var": draw.uniform(0.3, 0.9, 6),
        "factor_mean": draw.normal(0, 0.1, 3),
        "factor_scale": draw.uniform(0.8, 1.5, 3),
        "kf_A": np.array([[0.9, 0.02], [-0.01, 0.88]]),
        "kf_b": np.array([0.001, -0.002]),
        "kf_Q": 4e-4 * np.eye(2),
        "kf_C": draw.normal(0, 10, (3, 2)),
        "kf_d": draw.normal(0, 0.1, 3),
        "kf_R": mixing @ mixing.T + np.eye(3),
    }


def linear_arrays(draw):
    return {"M1": np.array([[0.7, 0.1], [0, 0.6]]), "M2": draw.normal(0, 0.02, (2, 6)), "m0": np.array([0.01, 0.02])}


CONSTANT = np.array([0.0, 0, 0, 0, 1])
DECODERS = {
    "kalman": (kalman_arrays, lambda a, y, x: plain_kalman(a, y, CONSTANT if x is None else x, np.zeros((5, 5)))),
    "steady_state_kalman": (kalman_arrays, lambda a, y, x: plain_steady_state(a, y, CONSTANT if x is None else x)),
    "intrinsic_manifold": (manifold_arrays, lambda a, y, v: plain_manifold(a, y, np.zeros(2) if v is None else v)),
    "linear": (linear_arrays, lambda a, y, v: plain_linear(a, y, np.zeros(2) if v is None else v)),
}


@pytest.mark.parametrize("from_initial", [False, True])
@pytest.mark.parametrize("kind", DECODERS)
def test_decode(tmp_path, kind, from_initial):
    draw = np.random.default_rng(21)
    make, plain = DECODERS[kind]
    arrays, counts = make(draw), draw.poisson(3.0, (40, 6))
    np.savez(tmp_path / "d.npz", **arrays)
    np.save(tmp_path / "counts.npy", counts)
    options, initial = [], None
    if from_initial:
        entries = 5 if "kalman" in kind else 2
        initial = np.r_[draw.normal(0, 0.1, entries - 1), 1.0]
        np.save(tmp_path / "x0.npy", initial)
        options = ["--initial", tmp_path / "x0.npy"]
    files = ["--decoder", tmp_path / "d.npz", "--counts", tmp_path / "counts.npy", "--out", tmp_path / "out.npy"]
    done = summary(cli("decode", "--kind", kind, *files, *options, "--json"))
    expected = plain(arrays, counts, initial)
    states = ["px", "py", "vx", "vy", "1"] if "kalman" in kind else ["vx", "vy"]
    assert done == {
        "kind": kind,
        "bins": 40,
        "entries": expected.shape[1],
        "states": states,
        "out": str(tmp_path / "out.npy"),
        "warnings": [],
    }
    np.testing.assert_allclose(np.load(tmp_path / "out.npy"), expected, rtol=1e-8, atol=1e-10)


def test_decode_begins_from_x0_and_p0_of_the_file(tmp_path):
    draw = np.random.default_rng(22)
    x0, P0 = np.array([0.01, -0.02, 0.1, 0.2, 1]), np.diag([1e-4, 1e-4, 1e-3, 1e-3, 0])
    arrays, counts = {**kalman_arrays(draw), "x0": x0, "P0": P0}, draw.poisson(3.0, (20, 6))
    np.savez(tmp_path / "d.npz", **arrays)
    np.save(tmp_path / "counts.npy", counts)
    files = ["--decoder", tmp_path / "d.npz", "--counts", tmp_path / "counts.npy", "--out", tmp_path / "out.npy"]
    assert "20 bins decoded to 5 entries each" in cli("decode", "--kind", "kalman", *files).stdout
    np.testing.assert_allclose(
        np.load(tmp_path / "out.npy"), plain_kalman(arrays, counts, x0, P0), rtol=1e-8, atol=1e-10
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"--kind": "kalmann"}, "'kalmann' is not among the decoders"),
        ({"--kind": "external"}, "it cannot decode counts"),
        ({"--decoder": "nowhere.npz"}, "nowhere.npz: no such file"),
        ({"--decoder": "counts.npy"}, "expected an .npz file"),
        ({"--counts": "nowhere.npy"}, "nowhere.npy: no such file"),
        ({"--counts": "d.npz"}, "expected one array (.npy)"),
        ({"--counts": "narrow.npy"}, "counts: has shape (4, 5), expected any x 6"),
        ({"--counts": "empty.npy"}, "counts: is empty"),
        ({"--counts": "infinite.npy"}, "counts[2, 1] = inf"),
        ({"--initial": "narrow.npy"}, "initial: has shape (4, 5), expected 5"),
        ({"--out": "nowhere/out.npy"}, "out.npy: cannot be written: No such file or directory"),
    ],
    ids=str,
)
def test_decode_refuses_what_does_not_fit(tmp_path, change, message):
    draw = np.random.default_rng(23)
    np.savez(tmp_path / "d.npz", **kalman_arrays(draw))
    counts = draw.poisson(3.0, (4, 6)).astype(float)
    np.save(tmp_path / "counts.npy", counts)
    np.save(tmp_path / "narrow.npy", counts[:, :5])
    np.save(tmp_path / "empty.npy", counts[:0])
    np.save(tmp_path / "infinite.npy", np.where(np.arange(24).reshape(4, 6) == 13, np.inf, counts))
    options = {"--kind": "kalman", "--decoder": "d.npz", "--counts": "counts.npy", "--out": "out.npy", **change}
    before = contents(tmp_path)
    done = cli("decode", *[part for option in options.items() for part in option], "--json", cwd=tmp_path)
    assert message in failure(done)
    assert contents(tmp_path) == before
