"""What `make demo` shows: the daemon with a session in real time and one faster than time, and beside each a client
process that injects a perturbation into the running session and removes it.

Prints success before, during and after as a table, replays each session, draws the reaches to build/demo.png.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import threading
import time
import tomllib
from collections import deque
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
from decoderd_client import Supervisor

ROOT = Path(__file__).resolve().parent.parent
PROTOCOLS = ROOT / "protocols" / "experiments"
BUILD = ROOT / "build" / "demo"
# Sessions, their speeds, and after how many trials the client turns the cursor, and back.
SESSIONS = (
    ("live-realtime", "realtime", {"on": 6, "off": 11}),
    ("live", "20", {"on": 80, "off": 160}),
)
TURN = "turn"
WINDOW = 16
COLOURS = {"before": "#4477aa", "during": "#cc6677", "after": "#228833"}


def beside(*arguments: str) -> list[str]:
    """A command line of this interpreter's environment."""
    return [sys.executable, *arguments]


class Daemon:
    """`decoderd serve` in a process of its own, as long as the demo lasts."""

    def __init__(self, data: Path) -> None:
        serve = beside("-m", "decoderd", "serve", "--data", str(data), "--control", "tcp://127.0.0.1:*")
        self._process = subprocess.Popen(serve, stderr=subprocess.PIPE, text=True)
        assert self._process.stderr is not None
        for line in self._process.stderr:
            if found := re.search(r"tcp://[\d.]+:\d+", line):
                self.control = found.group()
                break
        else:
            raise SystemExit("the daemon did not begin")
        threading.Thread(target=self._process.stderr.read, daemon=True).start()  # so that its pipe never fills

    def __enter__(self) -> Daemon:
        return self

    def __exit__(self, *error: object) -> None:
        self._process.terminate()
        self._process.wait(30)


def run(console: Console, daemon: Daemon, name: str, speed: str, moments: dict[str, int]) -> None:
    """Start a session, and a client beside it that turns the cursor for a while; returns once both are over."""
    with Supervisor(daemon.control) as supervisor:
        console.print(f"decoderd ctl start {name} {name}.toml --speed {speed}", style="bold")
        supervisor.start(name, tomllib.loads((PROTOCOLS / f"{name}.toml").read_text()), speed)
        changes = [f"--set=schedule.0.{moment}.trials={trials}" for moment, trials in moments.items()]
        plugin = ["run", "perturb", "--session", name, "--config", "examples/turn.toml", *changes]
        console.print(" ".join(["decoderd-client", *plugin]), style="bold")
        client = beside("-m", "decoderd_client", *plugin, "--supervisor", daemon.control)
        with subprocess.Popen(client, cwd=ROOT) as perturbing, supervisor.session(name) as session:
            with session.subscribe(["trial"], from_start=True) as messages:
                follow(console, messages)
            if perturbing.wait(30):
                raise SystemExit("the client ended with an error")
        while supervisor.find(name)["state"] != "done":
            time.sleep(0.1)
        supervisor.stop(name)  # its process would go on answering for a while


def follow(console: Console, messages: Any) -> None:
    """Show success as the trials come in."""
    recent: deque[bool] = deque(maxlen=WINDOW)
    with console.status("waiting for the first trial") as status:
        for message in messages:
            trial = message.payload
            recent.append(trial["x"] == "success")
            share = f"{100 * sum(recent) / len(recent):.0f} % of the last {len(recent)} succeeded"
            status.update(f"trial {trial['r']}: {share}{', cursor turned' if trial['w'] else ''}")


def tell(console: Console, recorded: RecordedSession) -> None:
    """Success around the perturbation as a table."""
    protocol = recorded.protocol
    table = Table(title=f"{recorded.name}: cursor turned by a client")
    for column in ("", "trials", "success", "median reach (s)", "successes a minute"):
        table.add_column(column, justify="right")
    for when, trials in performance.around(recorded.trials(), TURN).items():
        done = performance.of(trials, protocol.tick_s)
        rate = f"{100 * done.success_rate:.0f} %"
        table.add_row(when, str(done.trials), rate, f"{done.reach_s:.2f}", f"{done.successes_per_min:.1f}")
    console.print(table)


def replay(console: Console, directory: Path) -> None:
    """Run the session again from its journal, in which the client's perturbation stands."""
    command = beside("-m", "decoderd", "replay", str(directory), "--verify", "--json")
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=True)
    found = json.loads(done.stdout.splitlines()[-1])
    verdict = "identical" if found["identical"] else "DIFFERENT"
    console.print(f"replayed from its journal: {found['ticks']} ticks, {verdict}\n", highlight=False)


def draw(recorded: RecordedSession, path: Path) -> None:
    """Reaches before, during and after; success over trials."""
    protocol, ticks = recorded.protocol, recorded.ticks()
    task: Any = protocol.task
    parts = performance.around(recorded.trials(), TURN)
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
    figure.suptitle(f"{recorded.name}: cursor turned by 65 degrees, live, by a client")
    figure.savefig(path, dpi=120)


def main() -> None:
    """Both sessions."""
    console = Console()
    shutil.rmtree(BUILD, ignore_errors=True)
    BUILD.mkdir(parents=True)
    console.print(f"decoderd serve --data {BUILD.relative_to(ROOT)}", style="bold")
    with Daemon(BUILD) as daemon:
        for name, speed, moments in SESSIONS:
            run(console, daemon, name, speed, moments)
            with open_session(BUILD / name) as recorded:
                tell(console, recorded)
            replay(console, BUILD / name)
    picture = BUILD.parent / "demo.png"
    with open_session(BUILD / name) as recorded:
        draw(recorded, picture)
    console.print(f"picture: {picture.relative_to(ROOT)}", f"recordings: {BUILD.relative_to(ROOT)}", sep="\n")


if __name__ == "__main__":
    main()
