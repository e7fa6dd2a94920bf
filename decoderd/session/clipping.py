"""Rates above the limit of the population: counted where they are clipped, else they end the session.

A rig saturates and goes on. The population clips (its setting `clip_spikes`); here it is counted, with what drove the
first.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from decoderd.arrays import Array
from decoderd.errors import NumericalError
from decoderd.perturbations.sites import ActivePerturbation
from decoderd.session.assembly import Session
from decoderd.state import POSITION, Clipped, TimeIndex


class Drive(NamedTuple):
    """What a population fires from at a tick."""

    time: TimeIndex
    rates: Array  # (1, N) Hz before perturbation
    perturbed: Array  # (1, N) Hz
    intent: Array  # (1, 2) m/s
    seen: Array  # (1, 4) the cursor as displayed: m, m/s
    active: tuple[ActivePerturbation, ...]


def count(session: Session, clipped: Clipped, drive: Drive) -> Clipped:
    """`clipped` with the units above the limit at this tick.

    Raises NumericalError for a rate that is not finite: the message names the tick, the unit and what drove it.
    """
    rates, limit_hz = drive.perturbed[0], session.limit_hz
    if np.vdot(rates, rates) <= limit_hz**2:  # no unit exceeds it: one product for all; false for NaN, too
        return clipped
    if not np.isfinite(rates).all():
        unit = int(np.argmin(np.isfinite(rates)))
        diverged = NumericalError(
            f"unit {unit} has the rate {rates[unit]} Hz, the population has diverged: lower its weights, its rate of "
            f"learning or the gain of its perturbations",
            "population",
        )
        raise explained(diverged, drive)
    above = np.flatnonzero(rates > limit_hz)
    if not len(above):
        return clipped
    if not clipped.unit_ticks:
        unit = int(above[0])
        expected = float(rates[unit] * session.timing.tick_s)
        clipped = Clipped(0, drive.time.tick, unit, expected, _cause(drive, unit))
    return clipped._replace(unit_ticks=clipped.unit_ticks + len(above))


def explained(error: NumericalError, drive: Drive) -> NumericalError:
    """The error of a population at a tick, with the tick and what drives the unit of the highest rate."""
    unit = int(np.argmax(drive.perturbed[0]))  # the first that is no number, if one is
    where = f"population: tick {drive.time.tick} (day {drive.time.day})"
    return NumericalError(f"{where}: {error}. {_cause(drive, unit)}", error.field)


def _cause(drive: Drive, unit: int) -> str:
    """What drives the rate of a unit, in words: the population itself, or the perturbations that are on."""
    own, names = drive.rates[0, unit], [one.name for one in drive.active if one.site == "neural"]
    perturbed = f"; perturbations of rates that are on: {', '.join(names)}" if names else ""
    ux, uy = drive.intent[0]
    x, y = drive.seen[0, POSITION]
    return (
        f"Before perturbation its rate is {own:.4g} Hz, the median of all units {np.median(drive.rates):.4g} Hz"
        f"{perturbed}. The subject sees the cursor at ({x:.3g}, {y:.3g}) m and intends ({ux:.3g}, {uy:.3g}) m/s."
    )
