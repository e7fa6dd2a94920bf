"""What `make demo` shows: a session in real time and one faster than time, each with a perturbation on schedule.

Prints success before, during and after as a table, and draws the reaches to build/demo.png.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from rich.console import Console
from rich.table import Table

from decoderd.analysis import performance
from decoderd.recording.reader import RecordedSession, open_session

ROOT = Path(__file__).resolve().parent.parent
PROTOCOLS = ROOT / "protocols" / "experiments"
BUILD = ROOT / "build" / "demo"
WINDOW = 16
COLOURS = {"before": "#4477aa", "during": "#cc6677", "after": "#228833"}


def run(console: Console, protocol: str, speed: str) -> tuple[Path, dict[str, Any]]:
    """Run a protocol through the command line, recorded."""
    out = BUILD / Path(protocol).stem
    shutil.rmtree(out, ignore_errors=True)
    console.print(f"decoderd run {protocol} --speed {speed}", style="bold")
    command = [sys.executable, "-m", "decoderd", "run", str(PROTOCOLS / protocol), "--speed", speed]
    done = subprocess.run([*command, "--out", str(out), "--json"], stdout=subprocess.PIPE, text=True, check=True)
    return out, json.loads(done.stdout.splitlines()[-1])


def tell(console: Console, recorded: RecordedSession, summary: dict[str, Any]) -> None:
    """Success around the perturbation as a table, and how fast and how punctual the session was."""
    protocol = recorded.protocol
    table = Table(title=f"{recorded.name}: perturbation {protocol.perturbations[0].name!r}")
    for column in ("", "trials", "success", "median reach (s)", "successes a minute"):
        table.add_column(column, justify="right")
    for when, trials in performance.around(recorded.trials(), protocol.perturbations[0].name).items():
        done = performance.of(trials, protocol.tick_s)
        rate = f"{100 * done.success_rate:.0f} %"
        table.add_row(when, str(done.trials), rate, f"{done.reach_s:.2f}", f"{done.successes_per_min:.1f}")
    console.print(table)
    late = summary["lateness"]
    pace = f"{summary['sim_s']:.0f} s simulated in {summary['wall_s']:.1f} s ({summary['speed']:.0f} times real time)"
    if late["p50_us"] is not None:
        pace += f"; ticks late by {late['p50_us']:.0f} us (p50), {late['p99_us']:.0f} us (p99), {late['missed']} missed"
    console.print(pace, "\n", highlight=False)


def draw(recorded: RecordedSession, path: Path) -> None:
    """Reaches before, during and after; success over trials."""
    protocol, ticks = recorded.protocol, recorded.ticks()
    task: Any = protocol.task
    parts = performance.around(recorded.trials(), protocol.perturbations[0].name)
    figure = plt.figure(figsize=(10, 6.4), layout="constrained")
    grid = figure.add_gridspec(2, 3, height_ratios=[1.6, 1])
    for column, (when, trials) in enumerate(parts.items()):
        axes = figure.add_subplot(grid[0, column])
        for trial in trials[trials["go_tick"] >= 0][-32:]:
            path_m = ticks["cursor"][trial["go_tick"] : trial["end_tick"], :2]
            axes.plot(*(100 * path_m.T), color=COLOURS[when], lw=0.8, alpha=0.7)
        for angle in 2 * np.pi * np.arange(task.targets) / task.targets:
            centre = 100 * task.distance_m * np.array([np.cos(angle), np.sin(angle)])
            axes.add_patch(plt.Circle(tuple(centre), 100 * task.radius_m, fill=False, color="0.4"))
        rate = performance.of(trials, protocol.tick_s).success_rate
        axes.set(title=f"{when}: {100 * rate:.0f} % success", aspect="equal", xlim=(-11, 11), ylim=(-11, 11))
        axes.set_xlabel("x (cm)")
    figure.axes[0].set_ylabel("y (cm)")
    axes = figure.add_subplot(grid[1, :])
    trials = recorded.trials()
    axes.plot(trials["trial"], 100 * performance.moving_success(trials, WINDOW), color="0.2")
    axes.axvspan(parts["during"]["trial"][0], parts["during"]["trial"][-1], color=COLOURS["during"], alpha=0.2)
    axes.set(xlabel="trial", ylabel=f"success over {WINDOW} trials (%)", ylim=(-3, 103), xlim=(1, len(trials)))
    turned = np.degrees(protocol.perturbations[0].angle_rad)
    figure.suptitle(f"{recorded.name}: cursor turned by {turned:.0f} degrees")
    figure.savefig(path, dpi=120)


def main() -> None:
    """Both sessions."""
    console = Console()
    BUILD.mkdir(parents=True, exist_ok=True)
    for protocol, speed in (("centre-out-realtime.toml", "realtime"), ("centre-out.toml", "max")):
        out, summary = run(console, protocol, speed)
        with open_session(out) as recorded:
            tell(console, recorded, summary)
    picture = BUILD.parent / "demo.png"
    with open_session(out) as recorded:
        draw(recorded, picture)
    console.print(f"picture: {picture.relative_to(ROOT)}", f"recordings: {BUILD.relative_to(ROOT)}", sep="\n")


if __name__ == "__main__":
    main()
