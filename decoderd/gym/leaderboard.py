"""The leaderboard of CentreOut-v1: agents play its sessions, and a table says how they do.

`python -m decoderd.gym.leaderboard` prints the table of docs/explanation/centre-out-v1.md; `--write` puts it there.
"""

from __future__ import annotations

import argparse
import importlib
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import gymnasium

from decoderd import files
from decoderd.gym import baselines, centre_out
from decoderd.gym.baselines import Agent
from decoderd.gym.centre_out import SEEDS, TASKS, Task


class Result(NamedTuple):
    """One session of an agent."""

    trials: int
    successes: int
    minutes: float


class Entry(NamedTuple):
    """An agent of the leaderboard."""

    task: str
    agent: str  # its name in the table
    make: Callable[[], Agent]


ENTRIES = (
    Entry("decoder", "Kalman filter, calibrated", baselines.Kalman),
    Entry("decoder", "random", baselines.Random),
    Entry("adaptation", "recursive maximum likelihood", baselines.RecursiveML),
    Entry("adaptation", "decoder not changed", baselines.Fixed),
    Entry("adaptation", "random", baselines.Random),
    Entry("subject", "regulator", baselines.Regulator),
    Entry("subject", "random", baselines.Random),
)
HEADER = (
    "| task | agent | success | successes a minute | successes of each seed |",
    "|---|---|---|---|---|",
)


def play(env: gymnasium.Env[Any, Any], agent: Agent, seed: int) -> Result:
    """Play the session of a seed to its end."""
    observation, info = env.reset(seed=seed)
    inner: Any = env.unwrapped
    agent.begin(inner)
    over = False
    while not over:
        observation, _, ended, over, info = env.step(agent.act(observation))
        if ended and not over:
            observation, _ = env.reset()
    return Result(info["trials"], info["successes"], info["tick"] * inner.protocol.tick_s / 60)


def results(task: Task, make: Callable[[], Agent], seeds: Iterable[int] = SEEDS) -> Iterator[Result]:
    """The session of each seed, of an agent that begins anew with each."""
    env = gymnasium.make(task.environment, protocol=centre_out.protocol(task.name))
    for seed in seeds:
        yield play(env, make(), seed)
    env.close()


def row(task: str, agent: str, found: Sequence[Result]) -> str:
    """A row of the table."""
    trials, successes, minutes = (sum(column) for column in zip(*found, strict=True))
    each = ", ".join(f"{one.successes} of {one.trials}" for one in found)
    return f"| {task} | {agent} | {100 * successes / max(trials, 1):.1f} % | {successes / minutes:.1f} | {each} |"


def replaced(page: str, rows: Sequence[str]) -> str:
    """A page with its table of the leaderboard replaced. Raises ValueError for a page without one."""
    start = re.escape("\n".join(HEADER))
    table = "\n".join([*HEADER, *rows, ""])
    text, number = re.subn(rf"{start}\n(\|.*\n)*", lambda _: table, page)
    if number != 1:
        raise ValueError(f"the page has {number} tables that begin with {HEADER[0]!r}, and one is expected")
    return text


def found_agent(name: str) -> Callable[[], Agent]:
    """What `module:name` is. Raises ValueError where there is none."""
    module, _, attribute = name.partition(":")
    try:
        made: Callable[[], Agent] = getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError, ValueError) as error:
        raise ValueError(f"--agent {name}: expected MODULE:NAME of a class that can be imported: {error}") from None
    return made


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns its exit status."""
    parser = argparse.ArgumentParser(prog="python -m decoderd.gym.leaderboard", description=__doc__)
    parser.add_argument("--task", choices=[task.name for task in TASKS], help="this task alone")
    parser.add_argument("--agent", metavar="MODULE:NAME", help="an agent of your own instead of the baselines")
    parser.add_argument("--write", metavar="PAGE", type=Path, help="put the table of the baselines on this page")
    given = parser.parse_args(arguments)
    try:
        entries = [entry for entry in ENTRIES if given.task in (None, entry.task)]
        if given.agent is not None:
            if given.task is None or given.write is not None:
                raise ValueError("--agent needs --task, and no --write: the page has the baselines")
            entries = [Entry(given.task, given.agent, found_agent(given.agent))]
        elif given.write is not None and given.task is not None:
            raise ValueError("--write needs all tasks: leave out --task")
        if given.write is not None:
            replaced(files.read_text(given.write), [])
        print(*HEADER, sep="\n")
        rows = []
        for entry in entries:
            rows.append(row(entry.task, entry.agent, list(results(centre_out.task(entry.task), entry.make))))
            print(rows[-1], flush=True)
        if given.write is not None:
            files.replace_text(given.write, replaced(files.read_text(given.write), rows))
    except (OSError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
