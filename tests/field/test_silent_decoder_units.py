"""Decoders of units that never fired: without variance they get weight 0, and one warning names them all."""

import numpy as np
import pytest

from decoderd.decoders import offline
from decoderd.preparation.session_warnings import warnings
from tests import protocols
from tests.field.decoders import exact, least_squares, recorded, textbook


@pytest.mark.parametrize("silent", [[6], [0, 3, 22], list(range(1, 23))])
@pytest.mark.parametrize("count", [0, 2])
def test_units_that_never_change_have_weight_zero(silent, count):
    x, counts = recorded(units=23, bins=500)
    counts[:, silent] = count
    arrays = exact(least_squares(x[:, 2:], counts))
    found = offline.decoded("kalman", arrays, counts)
    others = np.setdiff1d(np.arange(23), silent)
    apart = {**arrays, "C": arrays["C"][others], "Q": arrays["Q"][np.ix_(others, others)]}
    np.testing.assert_allclose(found.rows, textbook(apart, counts[:, others].astype(float)), rtol=0, atol=1e-9)
    (warning,) = found.warnings
    assert ", ".join(map(str, silent)) in warning.message


def test_factors_of_units_without_private_variance():
    draw = np.random.default_rng(4)
    root = draw.normal(0, 1, (3, 3))
    arrays = {
        "count_mean": draw.uniform(1, 3, 8),
        "count_scale": draw.uniform(0.5, 1, 8),
        "fa_loadings": draw.normal(0, 0.5, (8, 3)),
        "fa_private_var": draw.uniform(0.5, 1, 8),
        "factor_scale": np.ones(3),
        "kf_A": 0.8 * np.eye(2),
        "kf_b": np.zeros(2),
        "kf_Q": 1e-3 * np.eye(2),
        "kf_C": draw.normal(0, 20, (3, 2)),
        "kf_d": draw.normal(0, 0.1, 3),
        "kf_R": np.eye(3) + root @ root.T,
    }
    counts, silent = draw.poisson(2.0, (50, 8)), [2, 5]
    arrays["fa_private_var"][silent] = arrays["fa_loadings"][silent] = arrays["count_mean"][silent] = counts[
        0, silent
    ] = 0
    counts[:, silent] = 0
    found = offline.decoded("intrinsic_manifold", arrays, counts)
    others = np.setdiff1d(np.arange(8), silent)
    of_units = ("count_mean", "count_scale", "fa_loadings", "fa_private_var")
    apart = {name: array[others] if name in of_units else array for name, array in arrays.items()}
    expected = offline.decode("intrinsic_manifold", apart, counts[:, others])
    np.testing.assert_allclose(found.rows, expected, rtol=0, atol=1e-12)
    assert "units 2, 5 have weight 0" in found.warnings[0].message


def test_a_session_warns_of_its_silent_units_once(tmp_path):
    _, begun = protocols.begun(protocols.centre_out())
    model = begun.parameters.decoder
    C, Q = model.C.copy(), model.Q.copy()
    C[[2, 7]] = Q[[2, 7]] = Q[:, [2, 7]] = 0
    np.savez(tmp_path / "filter.npz", A=model.A, W=model.W, C=C, Q=Q)
    data = protocols.centre_out(decoder={"kind": "kalman", "file": str(tmp_path / "filter.npz")})
    session, state = protocols.begun(data)
    assert not state.parameters.decoder.CtQinv[:, [2, 7]].any()
    (warning,) = warnings(session.protocol, state.parameters)
    assert "units 2, 7 have weight 0 (of 12 units)" in warning.message
