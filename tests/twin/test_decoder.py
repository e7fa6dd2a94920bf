"""The decoder of a recording, in SI units whatever the recording's unit of length."""

from __future__ import annotations

import numpy as np
import pytest

from decoderd.decoders import intrinsic_manifold
from decoderd.twin.decoder import decoder
from decoderd.twin.recording import check
from tests.twin.simulated import individual, recorded


@pytest.mark.parametrize(("unit", "metres"), [("mm", 1e-3), ("cm", 1e-2), ("m", 1.0)])
def test_a_filter_in_another_unit_of_length_decodes_the_same_velocity(unit: str, metres: float) -> None:
    arrays = recorded(individual(), 400)
    si = decoder(check(arrays), 3)
    kinematic = {"kf_b": np.array([0.01, -0.02]), "kf_Q": si["kf_Q"], "kf_C": si["kf_C"]}
    si |= kinematic
    given = {
        **si,
        "kf_b": kinematic["kf_b"] / metres,
        "kf_Q": kinematic["kf_Q"] / metres**2,
        "kf_C": kinematic["kf_C"] * metres,
    }
    in_si = intrinsic_manifold.load(decoder(check({**arrays, **given}, unit))).mapping
    direct = intrinsic_manifold.load(given).mapping
    np.testing.assert_allclose(in_si.M1, direct.M1, rtol=1e-9)
    np.testing.assert_allclose(in_si.M2, direct.M2 * metres, rtol=1e-9)
    np.testing.assert_allclose(in_si.m0, direct.m0 * metres, rtol=1e-9)
