"""SIGKILL at random moments of sessions and supervisors: what was promised holds."""

from __future__ import annotations

import itertools
import json
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest

from tests.campaigns.fleet import supervised
from tests.campaigns.kills import accelerated, served, wholes


def campaign(folder, kills, each, seed=14):
    """So many kills, `each` in one life of a session, about a third of each kind.

    Returns the kills by their moments, and how many answers and messages were compared with the files.
    """
    whole = wholes(folder / "whole")
    lives: dict[str, Callable[..., Counter[str]]] = {
        "accelerated": partial(accelerated, whole=whole),
        "served": served,
        "supervised": lambda folder, seed, kills: supervised(folder, seed, 3 * kills),
    }
    counts, numbers, failed = Counter(), itertools.count(seed), threading.Event()

    def live(kind):
        number = next(numbers)
        print(f"{kind}, seed {number}", flush=True)
        try:
            return lives[kind](folder / f"{kind}-{number}", number, each)
        except BaseException as error:
            failed.set()
            error.add_note(f"{kind}, seed {number}, {each} kills")
            raise

    def in_turns(*kinds):
        for kind in itertools.cycle(kinds):
            if killed(counts) >= kills or failed.is_set():
                return
            counts.update(live(kind))

    with ThreadPoolExecutor(2) as several:
        for one in several.submit(in_turns, "accelerated", "served"), several.submit(in_turns, "supervised"):
            one.result()
    return counts


def killed(counts):
    return sum(number for moment, number in counts.items() if ", " in moment)


@pytest.mark.campaign
@pytest.mark.parametrize(("kills", "each"), [pytest.param(20, 5, id="short"), pytest.param(1000, 20, id="long")])
def test_what_was_promised_survives_kills(tmp_path, capsys, kills, each):
    """Two minutes, or half an hour, on two cores."""
    with capsys.disabled():
        began, counts = time.monotonic(), campaign(tmp_path, kills, each)
        found = {"kills": killed(counts), "wall_s": round(time.monotonic() - began), **dict(sorted(counts.items()))}
        print(json.dumps(found))
    assert killed(counts) >= kills
