"""Sessions whose processes are killed at random moments, again and again; each life checks all that was promised.

A life is a function of a folder, a seed, which repeats its moments, and a number of kills. It returns what it counted.
"""

from __future__ import annotations

import os
import random
import re
import signal
import time
from collections import Counter
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

from tests import learners, protocols, running
from tests.campaigns.processes import processes_in
from tests.campaigns.promises import Promises, committed
from tests.protocols import centre_out
from tests.service.serving import replayed

# A process imports and prepares for about so long before its first tick.
START_S = 1.0
# A session that takes longer to its end hangs, also on a machine that does much else.
BOUND_S = 600.0
DRIFTING = {"kind": "tuned", "units": 12, "drift": {"preferred_rad": 0.1, "baseline": 0.1}}


def days(number: int, seconds: float) -> dict[str, Any]:
    """A schedule of so many days of so many seconds."""
    return {"days": number, "blocks": [{"name": "only", "duration_s": seconds}]}


# Some seconds each at full speed, with much that has to be resumed: days, updates, learning, delays, inputs.
ACCELERATED: dict[str, Mapping[str, Any]] = {
    "days": centre_out(
        schedule=days(60, 10.0),
        population=DRIFTING,
        perturbations=[{**protocols.perturbation("delay", "cursor", delay_s=0.03), "name": "delay"}],
    ),
    "updates": centre_out(
        schedule=days(4, 150.0), updater={"kind": "smooth_batch", "batch_s": 1.0, "half_life_s": 20.0}
    ),
    "learning": learners.learning("reinforce", schedule={"days": 30, "blocks": [{"name": "only", "trials": 50}]}),
}
INPUTS = {
    500 * k: [protocols.perturb("gain", "neural", factor=1.0 + 0.01 * k) if k % 2 else protocols.UNPERTURB]
    for k in range(1, 60)
}
# Served in real time; a day ends every second.
SERVED = centre_out(schedule=days(240, 1.0), population=DRIFTING)


def wholes(folder: Path) -> dict[str, tuple[dict[str, Any], dict[str, Any]]]:
    """{protocol: (summary, what is committed)} of sessions without a kill; `folder` gets their protocols and inputs."""
    folder.mkdir()
    running.write_inputs(folder / "inputs.jsonl", INPUTS)

    def whole(name: str) -> tuple[dict[str, Any], dict[str, Any]]:
        protocol = running.write(folder / f"{name}.toml", ACCELERATED[name])
        command = ("run", protocol, "--inputs", folder / "inputs.jsonl", "--speed", "max", "--out", folder / name)
        return running.summary(running.cli(*command, "--json", timeout=BOUND_S)), committed(folder / name)

    with ThreadPoolExecutor(os.cpu_count()) as several:
        return dict(zip(ACCELERATED, several.map(whole, ACCELERATED), strict=True))


# --- moments


def wait_for_commit(folder: Path, process: Any = None) -> None:
    """Until the write-ahead log of a session changes, or its process has ended. The change is seen within 0.5 ms."""
    log = folder / "session.sqlite-wal"

    def seen() -> tuple[int, int]:
        with suppress(FileNotFoundError):
            found = log.stat()
            return found.st_size, found.st_mtime_ns
        return 0, 0

    first, until = seen(), time.monotonic() + running.TIMEOUT_S
    while seen() == first and (process is None or process.poll() is None):
        assert time.monotonic() < until, "nothing is committed"
        time.sleep(0.0005)


def await_moment(draw: random.Random, folder: Path, process: Any, longest_s: float) -> str:
    """Wait for a random moment of a process that has just been started; returns what it may be doing then.

    In its loop it is left for at most `longest_s`.
    """
    kind = draw.choices(["start", "loop", "commit"], [3, 4, 3])[0]
    if kind == "start":
        time.sleep(draw.uniform(0.0, 1.2 * START_S))
    else:
        for _ in range(draw.randrange(1, 2 + int(4 * longest_s))):
            wait_for_commit(folder, process)
        time.sleep(draw.uniform(0.0, longest_s) if kind == "loop" else draw.uniform(0.0, 0.003))
    return kind


def kill(process: Any) -> bool:
    """Kill a process of ours; False if it had ended by itself."""
    if process.poll() is not None:
        return False
    process.send_signal(signal.SIGKILL)
    return bool(process.wait(running.TIMEOUT_S) == -signal.SIGKILL)


# --- lives


def accelerated(folder: Path, seed: int, kills: int, whole: Mapping[str, Any]) -> Counter[str]:
    """`run` and `resume --speed max`: whatever is committed is what the session gives that nobody kills."""
    folder.mkdir()
    draw, counts = random.Random(seed), Counter[str]()
    name = draw.choice(sorted(whole))
    summary, expected = whole[name]
    made, out = folder.parent / "whole", folder / "run"
    promises, ended = Promises(out, expected), False
    while not ended:
        now = promises.check()
        command = ("resume", out) if now else ("run", made / f"{name}.toml", "--out", out)
        process = running.start(*command, "--speed", "max", "--inputs", made / "inputs.jsonl", "--json")
        try:
            if sum(counts.values()) < kills:
                kind = await_moment(draw, out, process, 0.5)
                if kill(process):
                    counts[f"accelerated, {kind}"] += 1
                    continue
            output, errors = process.communicate(timeout=BOUND_S)
            assert process.returncode == 0, errors
            ended = True
        finally:
            running.end(process)
        assert len(promises.check()["from_ticks"]) <= 1 + sum(counts.values())
    assert committed(out) | {"from_ticks": []} == expected | {"from_ticks": []}
    assert f'"digest": "{summary["digest"]}"' in output
    assert not processes_in(folder)
    return counts


def served(folder: Path, seed: int, kills: int) -> Counter[str]:
    """`run` and `resume --serve` in real time, with a client that gives inputs."""
    folder.mkdir()
    draw, counts, out = random.Random(seed), Counter[str](), folder / "run"
    protocol = running.write(folder / "p.toml", SERVED)
    promises = Promises(out)
    while sum(counts.values()) < kills:
        before = promises.check()
        command = ("resume", out) if before else ("run", protocol, "--out", out)
        process = running.start(*command, "--speed", "realtime", "--serve", "--linger", "0")
        moments: list[str] = []

        def strike(process: Any = process, moments: list[str] = moments) -> None:
            moments.append(await_moment(draw, out, process, 2.0))
            assert kill(process), "it ended by itself"

        with ThreadPoolExecutor(1) as beside:
            striking = beside.submit(strike)
            for line in process.stderr:
                if found := re.search(r"control (tcp://\S+?)[,\s]", line):
                    promises.converse(found.group(1))
            striking.result()
        running.end(process)
        counts[f"served, {moments[0]}"] += 1
        now = promises.check()
        assert len(now.get("from_ticks", ())) - len(before.get("from_ticks", ())) in (0, 1)
    finish(out, promises)
    assert not processes_in(folder)
    return counts + promises.counts


def finish(out: Path, promises: Promises) -> None:
    """Run a killed session to its end, and replay it."""
    if not promises.check():
        return
    incarnations = len(promises.check()["from_ticks"])
    done = running.summary(running.cli("resume", out, "--speed", "max", "--json", timeout=BOUND_S))
    assert done["done"]
    assert done["incarnation"] == incarnations + 1
    assert replayed(out)["identical"] is True
    promises.check()
    promises.check_published()
