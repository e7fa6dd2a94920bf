"""Benchmarks of this repository: one JSON file a run in benchmarks/, and a picture of all runs.

python tools/benchmarks.py run [OPTION...]    run `decoderd bench` with these options, store its figures, draw
python tools/benchmarks.py draw               draw benchmarks/course.svg from the files
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "benchmarks"
PICTURE = "course.svg"

# {figure: (what it is, the bound it has to keep)}, in the order of the picture.
SHOWN = {
    "tick_us_100": ("tick, 100 units (µs)", 40.0),
    "tick_us_1000": ("tick, 1,000 units (µs)", 60.0),
    "kalman_step_ratio": ("Kalman step / plain NumPy", 1.3),
    "reinforce_epoch_ms": ("REINFORCE update (ms)", 1.5),
    "lateness_p99_ratio": ("lateness p99 / bare loop", 1.5),
    "publish_p50_ratio": ("publishing p50 / bare pyzmq", 1.3),
    "publish_p99_ratio": ("publishing p99 / bare pyzmq", 1.5),
    "load_twenty_p99_ratio": ("lateness p99, twenty readers / none", 1.2),
}


def machine() -> dict[str, Any]:
    """What the figures depend on: cores, processor and versions."""
    return {
        "cores": len(os.sched_getaffinity(0)),
        "cpu": _processor(),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        **{name: version(name) for name in ("numpy", "scipy", "pyzmq")},
    }


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def commit() -> str:
    """The short hash of the commit, with "+" behind it where files differ; the version outside a repository."""
    command = ["git", "-C", str(ROOT), "describe", "--always", "--dirty=+", "--exclude=*"]
    try:
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return version("decoderd")


def stored(figures: dict[str, Any], options: list[str], folder: Path = FOLDER, when: datetime | None = None) -> Path:
    """The file of a run, named by date and commit."""
    when = when or datetime.now(UTC)
    run: dict[str, Any] = {
        "date": when.isoformat(timespec="seconds"),
        "version": version("decoderd"),
        "commit": commit(),
        "options": options,
        "machine": machine(),
        "figures": figures,
    }
    folder.mkdir(exist_ok=True)
    path = folder / f"{when:%Y-%m-%dT%H%M}-{run['commit'].rstrip('+')}.json"
    path.write_text(json.dumps(run, indent=1) + "\n", encoding="utf-8")
    return path


def runs(folder: Path = FOLDER) -> list[dict[str, Any]]:
    """All stored runs by date."""
    found = [json.loads(path.read_text(encoding="utf-8")) for path in folder.glob("*.json")]
    return sorted(found, key=lambda run: str(run["date"]))


def draw(folder: Path = FOLDER) -> Path:
    """Draw every figure of `SHOWN` over the runs; each machine has a colour of its own."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    several = runs(folder)
    of_run = [f"{run['machine']['cpu']}, {run['machine']['cores']} cores" for run in several]
    matplotlib.rcParams["svg.hashsalt"] = "decoderd"  # the same picture from the same files
    figure, axes = pyplot.subplots(2, 4, figsize=(13, 5), sharex=True, layout="constrained")
    for axis, (name, (label, bound)) in zip(axes.flat, SHOWN.items(), strict=True):
        for number, one in enumerate(dict.fromkeys(of_run)):
            at = [k for k, run in enumerate(several) if of_run[k] == one and name in run["figures"]]
            axis.plot(at, [several[k]["figures"][name] for k in at], "o-", color=f"C{number}", label=one)
        axis.axhline(bound, color="0.6", linestyle="--")
        axis.set(title=label, ylim=(0, None), xlim=(-0.5, len(several) - 0.5))
        axis.set_xticks(range(len(several)), [f"{run['date'][:10]}\n{run['commit']}" for run in several], fontsize=7)
    axes.flat[0].legend(fontsize=7)
    path = folder / PICTURE
    figure.savefig(path, metadata={"Date": None})
    pyplot.close(figure)
    return path


def main(arguments: list[str]) -> None:
    """Run or draw."""
    if arguments[:1] == ["run"]:
        command = [sys.executable, "-m", "decoderd", "bench", "--json", *arguments[1:]]
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
        print(stored(json.loads(done.stdout), arguments[1:]).relative_to(ROOT))
    elif arguments != ["draw"]:
        sys.exit(__doc__)
    print(draw().relative_to(ROOT))


if __name__ == "__main__":
    main(sys.argv[1:])
