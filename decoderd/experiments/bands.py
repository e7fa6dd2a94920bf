"""Bands: where a value is expected to lie, fixed before it is measured."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np


class Band(NamedTuple):
    """A value and the range that a published or independently measured result leaves it. A miss is a finding."""

    name: str
    value: float
    low: float
    high: float

    @property
    def ok(self) -> bool:
        """Whether the value lies in the band, ends included; NaN does not."""
        return bool(self.low <= self.value <= self.high)

    def plain(self) -> dict[str, Any]:
        """{name, value, low, high, ok}, for JSON: a value or an end that is not finite is null."""
        numbers = {key: _number(getattr(self, key)) for key in ("value", "low", "high")}
        return {"name": self.name, **numbers, "ok": self.ok}


def about(name: str, value: float, mean: float, sd: float) -> Band:
    """Within two standard deviations of a printed mean."""
    return Band(name, float(value), mean - 2 * sd, mean + 2 * sd)


def near(name: str, value: float, printed: float, part: float) -> Band:
    """Within a part of a value that was printed without a spread."""
    return Band(name, float(value), printed - part * abs(printed), printed + part * abs(printed))


def share(name: str, value: float, printed: float, of: int) -> Band:
    """A share of `of` seeds: two standard errors of the difference of two such samples, but at least 2 seeds."""
    wide = max(2 * float(np.sqrt(2 * printed * (1 - printed) / of)), 2 / of)
    return Band(name, float(value), max(0.0, printed - wide), min(1.0, printed + wide))


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
