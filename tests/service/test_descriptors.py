"""Free descriptors: a reserve is left for the data."""

from __future__ import annotations

import os

import pytest

from decoderd.errors import Shortage
from decoderd.service import descriptors


@pytest.mark.parametrize(("free", "enough"), [(descriptors.RESERVE + 5, True), (descriptors.RESERVE - 1, False)])
def test_a_reserve_is_left(monkeypatch, free, enough):
    limit = len(os.listdir("/proc/self/fd")) + free
    monkeypatch.setattr(descriptors.resource, "getrlimit", lambda _: (limit, limit))
    if enough:
        descriptors.leave("to test")
    else:
        with pytest.raises(Shortage, match=f"no file descriptor is left to test: raise .* \\({limit}\\)"):
            descriptors.leave("to test")
