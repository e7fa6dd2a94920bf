"""A reader who follows a page in a folder of their own: saves its files, types its commands, runs its programs."""

from __future__ import annotations

import contextlib
import io
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from tests import fences
from tests.protocols import centre_out
from tests.running import environment, record

LONGEST_S = 1800.0
ENDPOINT = re.compile(r"control (tcp://127\.0\.0\.1:\d+)")
PLACE = "tcp://127.0.0.1:PORT"  # what pages write for the endpoint that a session prints
TURN = 'name = "turn"\nkind = "rotation"\nsite = "cursor"\nangle_rad = 0.5\n'


class Reader:
    """What a reader has: a folder, the names of the page's programs, the endpoint that was printed last."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.names, self.control = folder, {"__name__": "page"}, PLACE
        self.environment = {**environment(), "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
        self.processes: list[tuple[subprocess.Popen[bytes], Path]] = []

    def follow(self, block: fences.Block) -> None:
        """Do what a block says, as its marks have it."""
        marks = block.marks
        for name in filter(None, marks.get("given", "").split(", ")):
            GIVEN[name](self)
        if "not run" in marks or "run by" in marks or block.language in fences.SHOWN:
            return
        if "file" in marks:
            (self.folder / marks["file"]).write_text(block.code, encoding="utf-8")
        elif block.language == "python":
            with contextlib.chdir(self.folder), contextlib.redirect_stdout(io.StringIO()):
                exec(compile(block.code, f"line {block.line}", "exec"), self.names)
        elif "in the background until" in marks:
            self.start(block.code, marks["in the background until"])
        else:
            self.type(_without(block.code, marks.get("without", "")), marks.get("fails"))

    def type(self, commands: str, error: str | None = None) -> str:
        """Type commands into a shell. All have to succeed, or the last one to fail with this error."""
        script = ["bash", "-e", "-c", commands.replace(PLACE, self.control)]
        done = subprocess.run(
            script,
            cwd=self.folder,
            env=self.environment,
            timeout=LONGEST_S,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert (done.returncode != 0) == (error is not None), done.stdout
        assert (error or "") in " ".join(done.stdout.split()), done.stdout
        return done.stdout

    def start(self, command: str, ready: str) -> None:
        """Start a command in a terminal of its own, and wait until its output has the text."""
        log = self.folder / f"terminal-{len(self.processes)}.log"
        with log.open("wb") as output:
            started = subprocess.Popen(
                ["bash", "-c", f"exec {command}"],
                cwd=self.folder,
                env=self.environment,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        self.processes.append((started, log))
        until = time.monotonic() + LONGEST_S
        while ready not in (said := log.read_text()):
            assert started.poll() is None, said
            assert time.monotonic() < until, said
            time.sleep(0.1)
        if found := ENDPOINT.search(said):
            self.control = found[1]

    def end(self, number: int = signal.SIGTERM) -> None:
        """End what was started, the newest first, and wait."""
        while self.processes:
            process, _ = self.processes.pop()
            process.send_signal(number)
            process.wait(LONGEST_S)


@contextmanager
def reader(folder: Path) -> Iterator[Reader]:
    """A reader; what they started has ended afterwards."""
    one = Reader(folder)
    try:
        yield one
    finally:
        if any(folder.glob("sessions/*/service.json")):
            for name in (path.parent.name for path in folder.glob("sessions/*/service.json")):
                subprocess.run(["decoderd", "ctl", "stop", name], cwd=folder, env=one.environment, capture_output=True)
        one.end()


def _without(code: str, left_out: str) -> str:
    """Code without the lines that have one of `A, B (why)`."""
    parts = [part.strip() for part in left_out.partition(" (")[0].split(",") if part.strip()]
    return "\n".join(line for line in code.splitlines() if not any(part in line for part in parts))


def _first(one: Reader) -> None:
    page = fences.ROOT / "README.md"
    code = next(block.code for block in fences.blocks(page) if block.marks.get("file") == "first.toml")
    (one.folder / "first.toml").write_text(code, encoding="utf-8")


def _run(name: str, *options: str) -> Callable[[Reader], None]:
    def given(one: Reader) -> None:
        _first(one)
        one.type(" ".join(["decoderd run first.toml --out", f"runs/{name}", *options]))

    return given


def _file(name: str, text: str) -> Callable[[Reader], None]:
    def given(one: Reader) -> None:
        (one.folder / name).write_text(text, encoding="utf-8")

    return given


def _copied(path: str) -> Callable[[Reader], None]:
    def given(one: Reader) -> None:
        shutil.copy(fences.ROOT / path, one.folder)

    return given


def _recording(one: Reader) -> None:
    draw = np.random.default_rng(1)
    target = np.arange(600) % 8
    preferred, depth = draw.uniform(0, 2 * np.pi, 30), draw.uniform(1, 4, 30)
    angle = 2 * np.pi * target / 8
    np.savez(
        one.folder / "recording.npz",
        counts=draw.poisson(5 + depth * np.cos(angle[:, np.newaxis] - preferred)),
        target=target,
        target_angle_deg=45.0 * np.arange(8),
        cursor_to_target=np.stack([np.cos(angle), np.sin(angle)], axis=1),
        bin_s=0.05,
    )


def _moves(one: Reader) -> None:
    record(one.folder / "moved", centre_out(population={"kind": "tuned", "units": 40}, schedule=_trials(40)))
    one.type("decoderd export moved --to npz --out moves.npz")


def _trials(number: int) -> dict[str, Any]:
    return {"blocks": [{"name": "only", "trials": number}]}


def _filter(units: int, name: str) -> Callable[[Reader], None]:
    """A filter of BMI3D: positions and velocities in three dimensions, in cm, bins of 0.1 s."""

    def given(one: Reader) -> None:
        draw = np.random.default_rng(2)
        A = np.eye(7)
        A[:3, 3:6] = 0.1 * np.eye(3)
        A[3:6, 3:6] = 0.8 * np.eye(3)
        W = np.diag([0, 0, 0, 7.0, 0, 7.0, 0])
        A[1], A[4] = 0, 0
        C = draw.normal(0, 0.05, (units, 7))
        C[:, [0, 1, 2, 4]], C[:, 6] = 0, 1.0
        states = ["hand_px", "hand_py", "hand_pz", "hand_vx", "hand_vy", "hand_vz", "offset"]
        np.savez(one.folder / name, A=A, W=W, C=C, Q=np.eye(units), states=states, binlen=0.1)
        np.save(one.folder / "counts.npy", draw.poisson(1.0, (300, units)))

    return given


def _daemon(one: Reader) -> None:
    one.start("decoderd serve --data sessions", "control tcp")


def _over(one: Reader) -> None:
    _, log = one.processes[-1]
    one.end(signal.SIGINT)
    assert "Traceback" not in log.read_text()


STUDY = 'name = "few"\nprotocol = "first.toml"\nseeds = "1-2"\nmeasures = ["success"]\n'
# What a reader has when they come to a page, or to a block: files, recordings, programs that run.
GIVEN: dict[str, Callable[[Reader], None]] = {
    "first.toml": _first,
    "runs/first": _run("first", "--speed max"),
    "runs/one": _run("one", "--speed max"),
    "runs/paced": _run("paced", "--speed 20", "--set schedule.blocks.0.trials=1"),
    "recording.npz": _recording,
    "moves.npz": _moves,
    "filter.npz": _filter(40, "filter.npz"),
    "bmi3d.npz": _filter(40, "bmi3d.npz"),
    "the counts of 40 units": _filter(40, "bmi3d.npz"),
    "study.toml": _file("study.toml", STUDY),
    "turn.toml": _file("turn.toml", TURN),
    "a daemon": _daemon,
    "centre_out_task.py": _copied("examples/centre_out_task.py"),
    "centre_out_pygame.py": _copied("examples/centre_out_pygame.py"),
    "the end of the session": _over,
}
