"""Bands: ranges in which values of an experiment are expected, fixed before it is run."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

# Columns of tables of bands that need a word: the last of them are `Power.text`.
SEEDS_COLUMN = "seeds: here / needed / original"
MANY_SEEDS = 9999


class Power(NamedTuple):
    """Seeds behind a verdict; see `decoderd.experiments.power`."""

    seeds: int  # here
    needed: float  # to tell the value from the nearest end of its band; inf where no number would do
    original: int | None  # of the published result; None: not known, or not of seeds

    def text(self) -> str:
        """The three numbers, as a table shows them."""
        many = f"{self.needed:.0f}" if self.needed < MANY_SEEDS else f"over {MANY_SEEDS}"
        return f"{self.seeds} / {many} / {self.original or '?'}"


class Band(NamedTuple):
    """A value and the range that follows from a published or independently computed result."""

    name: str
    value: float
    low: float
    high: float
    power: Power | None = None  # None: of no sample of seeds, such as a count of all

    @property
    def ok(self) -> bool:
        """Whether the value lies in the band, ends included; False for NaN."""
        return bool(self.low <= self.value <= self.high)

    def plain(self) -> dict[str, Any]:
        """The band as a dictionary for JSON; None for numbers that are not finite."""
        numbers = {key: _number(getattr(self, key)) for key in ("value", "low", "high")}
        return {"name": self.name, **numbers, "ok": self.ok, **self._seeds()}

    def _seeds(self) -> dict[str, Any]:
        if self.power is None:
            return {}
        here, needed, original = self.power
        return {"seeds": here, "seeds_needed": _number(needed), "original_seeds": original}


def two_sd(name: str, value: float, mean: float, sd: float) -> Band:
    """A band of two standard deviations about a published mean."""
    return Band(name, float(value), mean - 2 * sd, mean + 2 * sd)


def relative(name: str, value: float, published: float, fraction: float) -> Band:
    """A band of +- `fraction` of a value that was published without a standard deviation."""
    return Band(name, float(value), published - fraction * abs(published), published + fraction * abs(published))


def two_samples(name: str, value: float, seeds: int, published: float, of: int, sd: float) -> Band:
    """A band for a mean of `seeds` values beside one of `of`: two standard errors of their difference."""
    wide = 2 * sd * float(np.sqrt(1 / seeds + 1 / of)) if seeds else float("nan")
    return Band(name, float(value), published - wide, published + wide)


def two_shares(name: str, value: float, seeds: int, published: float, of: int) -> Band:
    """A band for a share of `seeds` beside one of `of`: two standard errors of their difference, at least 2 of `of`.

    The standard error is that of two samples of what both together show.
    """
    together = (value * seeds + published * of) / (seeds + of)
    wide = max(2 * float(np.sqrt(together * (1 - together) * (1 / seeds + 1 / of))), 2 / of)
    return Band(name, float(value), max(0.0, published - wide), min(1.0, published + wide))


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
