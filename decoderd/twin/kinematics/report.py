"""The page about a fit to kinematics."""

from __future__ import annotations

import numpy as np

from decoderd import html_page
from decoderd.arrays import Array
from decoderd.twin import figures as of_twin
from decoderd.twin import report
from decoderd.twin.kinematics import figures
from decoderd.twin.kinematics.arrays import usable
from decoderd.twin.kinematics.fit import Fitted, Summary
from decoderd.twin.kinematics.tuning import expected_counts
from decoderd.twin.tuning import Tuning, tuning


def html(recording: str, found: Summary) -> str:
    """The page as text. `recording` is the name of the recording's file."""
    tuned = tuning_of(found.fitted)
    facts = {
        "recording": f"{found.bins_used} of {found.bins} bins used, {found.units} units",
        "lag from counts to kinematics": f"{1e3 * found.lag_s:g} ms",
        "regularisation": f"{found.setting.replace('_', ' ')} {found.value:g}" if found.setting else "none",
        "speed at full effort": f"{found.speed_m_s:.3g} m/s",
    }
    decoding = [
        html_page.heading("Held-out bins"),
        html_page.table(("axis", "R2", "95 % interval", "correlation", "95 % interval"), _rows(found)),
    ]
    return report.page(
        recording,
        facts,
        found.warnings,
        [*figures.of_decoding(found.fitted), *of_twin.of_tuning(tuned)],
        [*decoding, *report.units(tuned)],
    )


def _rows(found: Summary) -> list[tuple[str, float, str, float, str]]:
    return [
        (name, float(r2), _between(r2_interval), float(r), _between(r_interval))
        for name, r2, r2_interval, r, r_interval in zip(
            found.axes, found.r2, found.r2_interval, found.correlation, found.correlation_interval, strict=True
        )
    ]


def _between(interval: Array) -> str:
    return f"{interval[0]:.3f} to {interval[1]:.3f}"


def tuning_of(found: Fitted) -> Tuning:
    """Tuning to the direction of movement in the faster half of the bins, and the twin's at the same velocities.

    The twin's curve is that of their mean speed.
    """
    recorded = found.recorded
    rows = np.flatnonzero(usable(recorded))
    speed = np.hypot(*recorded.velocity[rows].T)
    rows, speed = rows[speed >= np.median(speed)], speed[speed >= np.median(speed)]
    velocity, mean_speed = recorded.velocity[rows], speed.mean()
    return tuning(
        np.arctan2(velocity[:, 1], velocity[:, 0]),
        recorded.counts[rows],
        recorded.bin_s,
        lambda of: expected_counts(found.weights, velocity[of], recorded.bin_s),
        lambda angles: expected_counts(
            found.weights, mean_speed * np.stack([np.cos(angles), np.sin(angles)], axis=1), recorded.bin_s
        ),
    )
