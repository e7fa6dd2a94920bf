"""The subject of a twin, against the simulated velocity of its decoder."""

from __future__ import annotations

import numpy as np
import pytest

from decoderd.decoders import intrinsic_manifold
from decoderd.twin.decoder import FITTED_SPEED_M_S, decoder
from decoderd.twin.protocol_text import subject
from decoderd.twin.recording import check
from tests.twin.simulated import individual, recorded


def test_the_subject_has_speed_and_lag_of_the_decoder() -> None:
    recording = check(recorded(individual(), 400))
    mapped = intrinsic_manifold.load(decoder(recording, 3))
    known = subject(recording, mapped)
    assert known.max_speed_m_s == FITTED_SPEED_M_S  # to which a filter without a speed of its own is scaled
    M1, M2, m0, *_ = mapped.mapping
    speeds = []
    for counts, direction in zip(recording.counts, recording.direction, strict=True):
        v = np.zeros(2)
        for _ in range(300):
            v = M1 @ v + M2 @ counts + m0
        speeds.append(v @ [np.cos(direction), np.sin(direction)])
    assert known.max_speed_m_s == pytest.approx(np.mean(speeds), rel=1e-3)
    assert np.exp(-recording.bin_s / known.lag_s) == pytest.approx(np.mean(np.diag(M1)), rel=1e-3)
