"""What `make demo` shows: the daemon with two live sessions, and client processes beside them.

In the first, in real time, a client turns the cursor and turns it back. In the second, thirty times as fast, a
recurrent network learns for days while its decoder is adapted every morning; one client turns the cursor for a day,
another measures every night how compact the representation has become. Prints tables, replays both sessions from their
journals, and draws build/demo.png.
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


def run(console: Console, daemon: Daemon, name: str, speed: str, *plugins: list[str]) -> None:
    """Start a session, and beside it a client process for each of `plugins`; returns once all are over."""
    with Supervisor(daemon.control, timeout_s=90.0) as supervisor, ExitStack() as stack:
        console.print(f"decoderd ctl start {name} protocols/experiments/{name}.toml --speed {speed}", style="bold")
        supervisor.start(name, tomllib.loads((PROTOCOLS / f"{name}.toml").read_text()), speed)
        clients = []
        for plugin in plugins:
            told = ["run", plugin[0], "--session", name, *plugin[1:]]
            console.print(" ".join(["decoderd-client", *told]), style="bold")
            command = beside("-m", "decoderd_client", *told, "--supervisor", daemon.control)
            clients.append(stack.enter_context(subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL)))
        with supervisor.session(name) as session, session.subscribe(["trial"], from_start=True) as messages:
            follow(console, messages)
        for client in clients:
            if client.wait(60):
                raise SystemExit("a client ended with an error")
        while supervisor.find(name)["state"] != "done":
            time.sleep(0.1)
        supervisor.stop(name)  # its process would go on answering for a while


def follow(console: Console, messages: Any) -> None:
    """Show success as the trials come in."""
    recent: deque[bool] = deque(maxlen=WINDOW)
    with console.status("waiting for the first trial") as status:
        for message in messages:
            recent.append(message.outcome == "success")
            share = f"{100 * sum(recent) / len(recent):.0f} % of the last {len(recent)} succeeded"
            turned_now = ", cursor turned" if message.perturbations else ""
            status.update(f"day {message.day}, trial {message.trial}: {share}{turned_now}")


def turned(console: Console, recorded: RecordedSession) -> None:
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


def by_day(recorded: RecordedSession) -> list[dict[str, float]]:
    """Of each day: success in its practice, mean loss of its last ten updates."""
    trials, days = recorded.trials(), []
    practice = trials[trials["block"] == 2]
    ends = {told["d"]: told["k"] for told in recorded.messages("day") if told["x"] == "end"}
    updates = recorded.messages("plasticity")
    for day, end in ends.items():
        losses = [told["l"] for told in updates if ends.get(day - 1, -1) < told["k"] <= end]
        success = (practice["outcome"][practice["day"] == day] == "success").mean()
        days.append({"day": day, "success": 100 * success, "loss": float(np.mean(losses[-10:]))})
    return days


def measured(folder: Path) -> dict[int, dict[str, float]]:
    """The numbers that the compaction client wrote, by day."""
    found: dict[int, dict[str, float]] = {}
    for row in csv.DictReader((folder / "compaction.csv").open()):
        found.setdefault(int(row["day"]), {})[row["measure"]] = float(row["value"])
    return found


def learned(console: Console, recorded: RecordedSession, folder: Path) -> None:
    """Learning and compaction, day by day."""
    numbers = measured(folder)
    table = Table(title=f"{recorded.name}: a network learns beside an adapting decoder; cursor turned on day 3")
    for column in ("day", "success", "loss", "target told by readouts", "readouts for 80 % (N_c)", "PR_norm"):
        table.add_column(column, justify="right")
    for day in by_day(recorded):
        of = numbers[int(day["day"])]
        told = [f"{100 * of['accuracy']:.0f} %", f"{of['n_c']:.0f}", f"{of['pr_norm']:.2f}"]
        table.add_row(f"{day['day']:.0f}", f"{day['success']:.0f} %", f"{day['loss']:.1f}", *told)
    console.print(table)


def replay(console: Console, directory: Path) -> None:
    """Run the session again from its journal, in which the client's perturbation stands."""
    command = beside("-m", "decoderd", "replay", str(directory), "--verify", "--json")
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=True)
    found = json.loads(done.stdout.splitlines()[-1])
    verdict = "identical" if found["identical"] else "DIFFERENT"
    console.print(f"replayed from its journal: {found['ticks']} ticks, {verdict}\n", highlight=False)


def draw(reaching: RecordedSession, days: RecordedSession, folder: Path, path: Path) -> None:
    """Above, reaches before, during and after the turn in real time; below, the days of learning."""
    figure = plt.figure(figsize=(10, 7), layout="constrained")
    grid = figure.add_gridspec(2, 3, height_ratios=[1.5, 1])
    protocol, ticks = reaching.protocol, reaching.ticks()
    task: Any = protocol.task
    for column, (when, trials) in enumerate(performance.around(reaching.trials(), TURN).items()):
        axes = figure.add_subplot(grid[0, column])
        for trial in trials[trials["go_tick"] >= 0]:
            path_m = ticks["cursor"][trial["go_tick"] : trial["end_tick"], :2]
            axes.plot(*(100 * path_m.T), color=COLOURS[when], lw=1)
        for angle in 2 * np.pi * np.arange(task.targets) / task.targets:
            centre = 100 * task.distance_m * np.array([np.cos(angle), np.sin(angle)])
            axes.add_patch(plt.Circle(tuple(centre), 100 * task.radius_m, fill=False, color="0.4"))
        axes.set(
            title=f"{when} the turn, in real time", aspect="equal", xlim=(-11, 11), ylim=(-11, 11), xlabel="x (cm)"
        )
    figure.axes[0].set_ylabel("y (cm)")
    trials, numbers = days.trials(), measured(folder)
    axes = figure.add_subplot(grid[1, :2])
    axes.plot(trials["trial"], 100 * performance.moving_success(trials, 3 * WINDOW), color="0.2")
    for day in np.unique(trials["day"]):
        of = trials["trial"][trials["day"] == day]
        axes.axvline(of[0], color="0.8", lw=0.8)
        axes.text(of[0] + 5, 96, f"day {day}", fontsize=8)
    on = trials["trial"][[TURN in names for names in trials["perturbations"]]]
    axes.axvspan(on[0], on[-1], color=COLOURS["during"], alpha=0.2)
    axes.set(xlabel="trial", ylabel=f"success over {3 * WINDOW} trials (%)", ylim=(-3, 103), xlim=(1, len(trials)))
    axes = figure.add_subplot(grid[1, 2])
    axes.bar(list(numbers), [of["n_c"] for of in numbers.values()], color="0.6", width=0.6)
    axes.set(xlabel="day", ylabel="readouts for 80 % (N_c)", xticks=list(numbers))
    figure.suptitle("Above: cursor turned live, by a client. Below: a network learns beside an adapting decoder")
    figure.savefig(path, dpi=120)


def main() -> None:
    """Both sessions."""
    console = Console()
    shutil.rmtree(BUILD, ignore_errors=True)
    BUILD.mkdir(parents=True)
    console.print(f"decoderd serve --data {BUILD.relative_to(ROOT)}", style="bold")
    compaction = BUILD / "compaction"
    turn = [
        "perturb",
        "--config",
        "examples/turn.toml",
        "--set=schedule.0.on.trials=6",
        "--set=schedule.0.off.trials=11",
    ]
    for_a_day = ["perturb", "--config", "examples/turn-for-a-day.toml"]
    measure = ["compaction", "--out", str(compaction.relative_to(ROOT)), "--outcomes", "success,missed"]
    measure += ["--repeats", "3", "--modes", "false", "--bootstrap", "100", "--factor-bootstrap", "10"]
    with Daemon(BUILD) as daemon:
        run(console, daemon, "live-realtime", "realtime", turn)
        run(console, daemon, "days", "30", for_a_day, measure)
    picture = BUILD.parent / "demo.png"
    with open_session(BUILD / "live-realtime") as reaching, open_session(BUILD / "days") as days:
        turned(console, reaching)
        replay(console, BUILD / "live-realtime")
        learned(console, days, compaction)
        replay(console, BUILD / "days")
        draw(reaching, days, compaction, picture)
    console.print(f"picture: {picture.relative_to(ROOT)}", f"recordings: {BUILD.relative_to(ROOT)}", sep="\n")


if __name__ == "__main__":
    main()
