"""The page about a fit: what was read and left out, figures of tuning, tables of targets and units."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from decoderd import extras, files, html_page
from decoderd.errors import ArrayError
from decoderd.html_page import Figure
from decoderd.input_warning import InputWarning
from decoderd.twin import figures
from decoderd.twin.fit import Summary
from decoderd.twin.tuning import Tuning, first_harmonic


def write(page: str, path: Path) -> None:
    """Write a page, whole or not at all. Raises ArrayError where that is impossible."""
    try:
        with files.replacing(path) as stream:
            stream.write(page.encode())
    except OSError as error:
        raise ArrayError(f"{path}: cannot be written ({error.strerror})", "out") from None


def of_targets(recording: str, found: Summary) -> str:
    """The page about a fit to targets. `recording` is the name of the recording's file."""
    vx, vy = found.rest_velocity_m_s
    facts = {
        "recording": f"{found.bins} bins, {found.units} units, {len(found.progress_m)} targets",
        "fitted": ", ".join((*found.fitted, "population")),
        "twin": f"{found.latents} latents, {found.harmonics} harmonics of direction",
        "correlation of mean counts by target, recording with twin": f"{found.tuning_correlation:.3f}",
        "speed at full effort": f"{found.reference_speed_m_s:.3g} m/s",
        "lag of the decoder": f"{found.lag_s:.3g} s",
        "velocity at the recording's mean counts (bias)": f"{1e3 * vx:.3g}, {1e3 * vy:.3g} mm/s",
    }
    progress = zip(1e3 * found.progress_m, 1e3 * found.twin_progress_m, strict=True)
    rows = [(index, float(recorded), float(twin)) for index, (recorded, twin) in enumerate(progress)]
    head = ("target", "progress recorded (mm a bin)", "progress of the twin")
    return page(
        recording,
        facts,
        found.warnings,
        [*figures.of_tuning(found.tuning), figures.progress(found.progress_m, found.twin_progress_m)],
        [html_page.heading("Targets"), html_page.table(head, rows), *units(found.tuning)],
    )


def page(
    recording: str,
    facts: Mapping[str, str],
    warnings: Sequence[InputWarning],
    drawings: Sequence[Figure],
    tables: Sequence[str],
) -> str:
    """The page about a fit: facts, warnings, figures, tables, in this order."""
    doubts = [warning.message for warning in warnings]
    return html_page.page(
        f"The twin of {recording}",
        [
            html_page.table(("", ""), list(facts.items())),
            html_page.heading("What was left out, and what is doubtful"),
            html_page.listing(doubts) if doubts else html_page.paragraph("Nothing."),
            *drawn(drawings),
            *tables,
        ],
    )


def drawn(drawings: Sequence[Figure]) -> list[str]:
    """The figures, or without matplotlib one paragraph that says how to get them."""
    if html_page.can_draw():
        return [html_page.figure(one) for one in drawings]
    names = ", ".join(one.title.lower() for one in drawings)
    return [html_page.paragraph(f"Figures ({names}) need matplotlib: {extras.install('plot')}, then fit again.")]


def units(tuning: Tuning) -> list[str]:
    """A heading and a table of the tuning of every unit."""
    baseline, depth, preferred = first_harmonic(tuning.direction, tuning.recorded)
    twin_baseline, twin_depth, twin_preferred = first_harmonic(tuning.direction, tuning.twin)
    columns = {
        "unit": range(len(depth)),
        "mean rate (Hz)": baseline,
        "mean rate of the twin": twin_baseline,
        "depth (Hz)": depth,
        "depth of the twin": twin_depth,
        "preferred direction (degrees)": np.rad2deg(preferred).round(),
        "of the twin": np.rad2deg(twin_preferred).round(),
    }
    rows = [tuple(x if isinstance(x, int) else float(x) for x in row) for row in zip(*columns.values(), strict=True)]
    return [html_page.heading("Units"), html_page.table(list(columns), rows)]
