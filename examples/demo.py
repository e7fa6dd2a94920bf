"""What `make demo` runs: the daemon with two live sessions, and client processes beside them.

In the first, in real time, a client rotates the cursor and later removes the rotation. In the second, thirty times as
fast, a recurrent network learns to control the cursor for four days, and its decoder is adapted at the start of each;
one client rotates the cursor for the whole of day 3, another measures at the end of every day how many dimensions the
activity has. Prints tables, replays both sessions from their journals, and draws build/demo.png.
"""

from __future__ import annotations

import csv
import json
import re
import shutil
import subprocess
import sys
import threading
import time
import tomllib
from collections import deque
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

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
TURN = "turn"  # the name of both rotations
WINDOW = 24  # trials
PART = 50  # trials at the beginning and at the end of a day's practice
COLOURS = {"before": "#4477aa", "during": "#cc6677", "after": "#228833"}
CLIENT_TIMEOUT_S = 300  # what a client may take once its session is over, on a busy machine


def beside(*arguments: str) -> list[str]:
    """A command line that runs in this interpreter's environment."""
    return [sys.executable, *arguments]


class Daemon:
    """`decoderd serve` in a process of its own, for as long as the demo runs."""

    def __init__(self, data: Path) -> None:
        serve = beside("-m", "decoderd", "serve", "--data", str(data), "--control", "tcp://127.0.0.1:*")
        self._process = subprocess.Popen(serve, stderr=subprocess.PIPE, text=True)
        assert self._process.stderr is not None
        for line in self._process.stderr:
            if found := re.search(r"tcp://[\d.]+:\d+", line):
                self.control = found.group()
                break
        else:
            raise SystemExit("the daemon did not start")
        threading.Thread(target=self._process.stderr.read, daemon=True).start()  # so that its pipe never fills

    def __enter__(self) -> Daemon:
        return self

    def __exit__(self, *error: object) -> None:
        self._process.terminate()
        self._process.wait(30)


def run(console: Console, daemon: Daemon, name: str, speed: str, *plugins: list[str]) -> None:
    """Start a session, and beside it a client process for each of `plugins`; returns once all are over."""
    with Supervisor(daemon.control, timeout_s=90.0) as supervisor, ExitStack() as stack:
        console.print(f"decoderd ctl start {name} protocols/experiments/{name}.toml --speed {speed}", style="bold")
        supervisor.start(name, tomllib.loads((PROTOCOLS / f"{name}.toml").read_text()), speed)
        with console.status("preparing: the network is pretrained, the decoder calibrated"):
            while supervisor.find(name)["state"] == "preparing":  # requests are answered once it runs
                time.sleep(0.1)
        clients = []
        for plugin in plugins:
            arguments = ["run", plugin[0], "--session", name, *plugin[1:]]
            console.print(" ".join(["decoderd-client", *arguments]), style="bold")
            command = beside("-m", "decoderd_client", *arguments, "--supervisor", daemon.control)
            clients.append(stack.enter_context(subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL)))
        with supervisor.session(name) as session, session.subscribe(["trial"], from_start=True) as messages:
            follow(console, messages)
        for client in clients:
            if client.wait(CLIENT_TIMEOUT_S):
                raise SystemExit("a client ended with an error")
        while supervisor.find(name)["state"] != "done":
            time.sleep(0.1)
        supervisor.stop(name)  # its process would still answer requests for a while


def follow(console: Console, messages: Any) -> None:
    """Show success as the trials come in."""
    recent: deque[bool] = deque(maxlen=WINDOW)
    with console.status("waiting for the first trial") as status:
        for message in messages:
            recent.append(message.outcome == "success")
            share = f"{100 * sum(recent) / len(recent):.0f} % of the last {len(recent)} succeeded"
            turned_now = ", cursor turned" if message.perturbations else ""
            status.update(f"day {message.day}, trial {message.trial}: {share}{turned_now}")


def reaching_table(console: Console, recorded: RecordedSession) -> None:
    """Print success before, during and after the rotation."""
    protocol = recorded.protocol
    table = Table(title=f"{recorded.name}: cursor rotated by a client")
    for column in ("", "trials", "success", "median reach (s)", "successes a minute"):
        table.add_column(column, justify="right")
    for when, trials in performance.around(recorded.trials(), TURN).items():
        done = performance.of(trials, protocol.tick_s)
        rate = f"{100 * done.success_rate:.0f} %"
        table.add_row(when, str(done.trials), rate, f"{done.reach_s:.2f}", f"{done.successes_per_min:.1f}")
    console.print(table)


class Day(NamedTuple):
    """A day of learning."""

    number: int
    first: float  # success in the first PART trials of practice, %
    last: float  # and in the last
    loss: float  # mean over the last ten updates


def days_of(recorded: RecordedSession) -> list[Day]:
    """What was learned on each day, from its practice (block 2) and its updates."""
    trials, updates, days = recorded.trials(), recorded.messages("plasticity"), []
    ends = {message.day: message.tick for message in recorded.messages("day") if message.event == "end"}
    for day, end in ends.items():
        practice = trials[(trials["day"] == day) & (trials["block"] == 2)]
        success = 100.0 * (practice["outcome"] == "success")
        losses = [update.loss for update in updates if ends.get(day - 1, -1) < update.tick <= end]
        days.append(Day(day, success[:PART].mean(), success[-PART:].mean(), float(np.mean(losses[-10:]))))
    return days


def measured(folder: Path) -> dict[int, dict[str, tuple[float, float, float]]]:
    """(value, low, high) of the measures that the compaction client wrote, by day and name; NaN without an interval."""
    found: dict[int, dict[str, tuple[float, float, float]]] = {}
    for row in csv.DictReader((folder / "compaction.csv").open()):
        numbers = tuple(float(row[column] or "nan") for column in ("value", "low", "high"))
        found.setdefault(int(row["day"]), {})[row["measure"]] = numbers
    return found


def learning_table(console: Console, recorded: RecordedSession, folder: Path) -> None:
    """Print success, loss and dimensions, day by day."""
    numbers = measured(folder)
    table = Table(title=f"{recorded.name}: a network learns while its decoder is adapted; cursor rotated on day 3")
    columns = ("day", f"success, first {PART} trials", f"last {PART}", "loss", "dimensions (PR_norm)")
    for column in columns:
        table.add_column(column, justify="right")
    for day in days_of(recorded):
        ratio = numbers[day.number]["pr_norm"][0]
        table.add_row(str(day.number), f"{day.first:.0f} %", f"{day.last:.0f} %", f"{day.loss:.1f}", f"{ratio:.3f}")
    console.print(table)


def replay(console: Console, directory: Path) -> None:
    """Run the session again from its journal, which holds the client's perturbation, and compare."""
    command = beside("-m", "decoderd", "replay", str(directory), "--verify", "--json")
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=True)
    found = json.loads(done.stdout.splitlines()[-1])
    verdict = "identical" if found["identical"] else "DIFFERENT"
    console.print(f"replayed from its journal: {found['ticks']} ticks, {verdict}\n", highlight=False)


def draw_reaches(figure: Any, places: Any, recorded: RecordedSession) -> None:
    """The cursor's paths from go to the end of the trial: before, during and after the rotation."""
    protocol, ticks = recorded.protocol, recorded.ticks()
    task: Any = protocol.task
    first = None
    for place, (when, trials) in zip(places, performance.around(recorded.trials(), TURN).items(), strict=True):
        axes = first = figure.add_subplot(place, sharex=first, sharey=first)
        for trial in trials[trials["go_tick"] >= 0]:
            path_m = ticks["cursor"][trial["go_tick"] : trial["end_tick"], :2]
            axes.plot(*(100 * path_m.T), color=COLOURS[when], lw=1)
        for angle in 2 * np.pi * np.arange(task.targets) / task.targets:
            centre = 100 * task.distance_m * np.array([np.cos(angle), np.sin(angle)])
            axes.add_patch(plt.Circle(tuple(centre), 100 * task.radius_m, fill=False, color="0.4"))
        won = (trials["outcome"] == "success").sum()
        axes.set(title=f"{when} the rotation: {won} of {len(trials)} succeed", aspect="equal")
        axes.set(xlim=(-11, 11), ylim=(-11, 11), xlabel="x (cm)", ylabel="y (cm)")
        axes.set(xticks=range(-10, 11, 5), yticks=range(-10, 11, 5))


def draw_learning(axes: Any, recorded: RecordedSession) -> None:
    """Success over trials, day by day; the blocks without learning and the day of the rotation are shaded."""
    trials, rotated = recorded.trials(), f"cursor rotated by {np.degrees(rotation_rad(recorded)):.0f} degrees"
    adapting = "trials by which the decoder is adapted; the network does not learn"
    for day in np.unique(trials["day"]):
        today = trials[trials["day"] == day]
        begin, end = today["trial"][0] - 0.5, today["trial"][-1] + 0.5
        if TURN in today["perturbations"][-1]:
            axes.axvspan(begin, end, color=COLOURS["during"], alpha=0.2, lw=0, label=rotated)
        block = today["trial"][today["block"] == 1]
        axes.axvspan(begin, block[-1] + 0.5, color="0.85", lw=0, label=adapting if day == 1 else None)
        axes.plot(today["trial"], 100 * performance.moving_success(today, WINDOW), color="0.1", lw=1.6)
        axes.text((begin + end) / 2, 104, f"day {day}", ha="center")
    axes.axhline(80, color="0.6", lw=0.8, ls="--")
    axes.set(xlabel="trial", ylabel="success (%)", ylim=(0, 112), xlim=(0, len(trials) + 1), yticks=range(0, 101, 20))
    axes.set_title(f"a recurrent network learns: success in the last {WINDOW} trials, counted from each day's first")
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.14), ncols=2, fontsize=9, frameon=False)


def rotation_rad(recorded: RecordedSession) -> float:
    """The angle of the rotation that a client gave."""
    return next(given["perturbation"]["angle_rad"] for _, given in recorded.journal() if given["op"] == "perturb")


def draw_dimensions(axes: Any, folder: Path) -> None:
    """The normalised participation ratio of each day, with its bootstrap interval."""
    numbers = measured(folder)
    value, low, high = np.array([of["pr_norm"] for of in numbers.values()]).T
    axes.errorbar(list(numbers), value, yerr=(value - low, high - value), fmt="o-", color="0.1", capsize=3)
    axes.set(xlabel="day", ylabel="dimensions (PR_norm)", xticks=list(numbers), title="activity of the readouts")
    axes.margins(x=0.15, y=0.3)


def draw(reaching: RecordedSession, days: RecordedSession, folder: Path, path: Path) -> None:
    """Above, reaches before, during and after the rotation in real time; below, the days of learning."""
    figure = plt.figure(figsize=(12, 8.5), layout="constrained")
    grid = figure.add_gridspec(2, 12, height_ratios=[1.15, 1])
    draw_reaches(figure, [grid[0, :4], grid[0, 4:8], grid[0, 8:]], reaching)
    draw_learning(figure.add_subplot(grid[1, :9]), days)
    draw_dimensions(figure.add_subplot(grid[1, 9:]), folder)
    figure.suptitle("Above: reaching in real time; a client rotates the cursor. Below: four days of learning")
    figure.savefig(path, dpi=110)


def main() -> None:
    """Run both sessions and show what they recorded."""
    console = Console()
    shutil.rmtree(BUILD, ignore_errors=True)
    BUILD.mkdir(parents=True)
    console.print(f"decoderd serve --data {BUILD.relative_to(ROOT)}", style="bold")
    compaction = BUILD / "compaction"
    turn = [
        "perturb",
        "--config",
        "examples/turn.toml",
        "--set=schedule.0.on.trial=7",
        "--set=schedule.0.off.trial=12",
    ]
    for_a_day = ["perturb", "--config", "examples/turn-for-a-day.toml"]
    measure = ["compaction", "--out", str(compaction.relative_to(ROOT)), "--outcomes", "success,missed"]
    measure += ["--repeats", "1", "--modes", "false", "--bootstrap", "100", "--factors", "4", "--factor-bootstrap", "2"]
    with Daemon(BUILD) as daemon:
        run(console, daemon, "live-realtime", "realtime", turn)
        run(console, daemon, "days", "30", for_a_day, measure)
    picture = BUILD.parent / "demo.png"
    with open_session(BUILD / "live-realtime") as reaching, open_session(BUILD / "days") as days:
        reaching_table(console, reaching)
        replay(console, BUILD / "live-realtime")
        learning_table(console, days, compaction)
        replay(console, BUILD / "days")
        draw(reaching, days, compaction, picture)
    console.print(f"picture: {picture.relative_to(ROOT)}", f"recordings: {BUILD.relative_to(ROOT)}", sep="\n")


if __name__ == "__main__":
    main()
