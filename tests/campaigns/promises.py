"""What a session promised while it ran, kept outside its process, and compared with its file after every kill."""

from __future__ import annotations

import itertools
import threading
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgpack
import zmq

from decoderd.errors import StoreError
from decoderd.recording.store import open_store
from decoderd.wire import codec
from decoderd_client import ControlError, NoAnswer, Session

TOPICS = ("tick", "counts", "task", "trial", "plasticity", "perturbation", "decoder", "day")


def committed(folder: Path) -> dict[str, Any]:
    """What a kill may not change in a session's file: messages by topic, journal, trials, starts of incarnations."""
    with open_store(folder) as store, store.snapshot():
        found: dict[str, Any] = {topic: b"".join(run.data for run in store.chunks(topic)) for topic in TOPICS}
        found["journal"] = list(store.journal())
        found["trials"] = list(store.trials())
        found["from_ticks"] = [row["from_tick"] for row in store.incarnations()]
        found["next_tick"] = store.next_number("tick")
    return found


def committed_or_nothing(folder: Path) -> dict[str, Any]:
    """`committed`, or an empty map where a process died before it had made the file."""
    try:
        return committed(folder)
    except StoreError:
        return {}


class Promises:
    """What one session promised its clients, and what was seen in its file; `check` compares both with the file now."""

    def __init__(self, folder: Path, whole: dict[str, Any] | None = None) -> None:
        """`whole`: what the same protocol gives without a kill, where it is known beforehand."""
        self._folder, self._whole = folder, whole
        self._before: dict[str, Any] = {}
        self._names = itertools.count()
        self._answered: list[tuple[int, int, str, str]] = []  # incarnation, tick, operation, perturbation
        self._stored: list[tuple[int, str, str]] = []  # the same, followed by an acknowledged checkpoint
        self._published: list[tuple[int, bytes]] = []  # incarnation, a tick message
        self.counts = Counter[str]()

    def converse(self, control: str, over: threading.Event | None = None) -> None:
        """Give inputs and ask for checkpoints until the process does not answer any more, or `over` is set."""
        with suppress(NoAnswer, ControlError), Session(control, timeout_s=1.0, attempts=1) as session:
            described = session.describe()
            incarnation = described["incarnation"]
            with zmq.Context.instance().socket(zmq.SUB) as listener:
                listener.setsockopt(zmq.LINGER, 0)
                listener.subscribe(codec.topic("tick"))
                listener.connect(described["stream"])
                try:
                    while over is None or not over.is_set():
                        self._ask(session, incarnation)
                finally:
                    self._receive(listener)

    def _ask(self, session: Session, incarnation: int) -> None:
        fresh = []
        for _ in range(3):
            name = f"k{next(self._names)}"
            given = {"name": name, "kind": "rotation", "site": "cursor", "angle_rad": 0.01}
            for operation, ask in (
                ("perturb", lambda given=given: session.perturb(given)),
                ("unperturb", lambda name=name: session.unperturb(name)),
            ):
                fresh.append((incarnation, ask()["tick"], operation, name))
                self._answered.append(fresh[-1])
        tick = session.checkpoint()["tick"]
        assert all(one[1] < tick for one in fresh), "a checkpoint was acknowledged below the tick of an input"
        self._stored += [one[1:] for one in fresh]

    def _receive(self, listener: zmq.Socket[Any]) -> None:
        with suppress(zmq.Again):
            while True:
                _, body, stamp = listener.recv_multipart(zmq.DONTWAIT)
                self._published.append((msgpack.unpackb(stamp)["i"], body))

    def check(self) -> dict[str, Any]:
        """Compare the file with what it held before and with what was promised; returns what it holds now."""
        now = committed(self._folder) if self._before else committed_or_nothing(self._folder)
        if not now:
            assert not self._stored, "there is no session, though inputs were acknowledged"
            return now
        for name, before in self._before.items():
            if name != "next_tick":
                assert now[name][: len(before)] == before, f"{name} changed after it was committed"
        if self._whole is not None:
            for name in (*TOPICS, "journal", "trials"):
                assert self._whole[name][: len(now[name])] == now[name], f"{name} is not what it would have been"
        starts = now["from_ticks"]
        assert starts == sorted(starts), "an incarnation began before the one before it"
        assert not starts or (starts[0] == 0 and starts[-1] <= now["next_tick"])
        self._check_inputs(now)
        self._before = now
        return now

    def _check_inputs(self, now: dict[str, Any]) -> None:
        journal = {_key(tick, body) for tick, body in now["journal"]}
        missing = [one for one in self._stored if one not in journal]
        assert not missing, f"acknowledged by a checkpoint and not in the journal: {missing[:5]}"
        ends = [*now["from_ticks"][1:], now["next_tick"]]  # of incarnation k + 1: what it committed is below
        kept = [one for one in self._answered if one[1] < ends[one[0] - 1]]
        missing = [one for one in kept if one[1:] not in journal]
        assert not missing, f"answered with a tick that is committed, and not in the journal: {missing[:5]}"
        self.counts["answered"], self.counts["acknowledged"] = len(self._answered), len(self._stored)

    def check_published(self) -> None:
        """At the end: what was published and then committed is what is stored."""
        now = committed(self._folder)
        ends = [*now["from_ticks"][1:], now["next_tick"]]
        stored = list(codec.split(now["tick"]))
        for incarnation, body in self._published:
            number = msgpack.unpackb(body)["q"]
            if number < ends[incarnation - 1]:
                assert stored[number] == body, f"tick {number} was published otherwise than it is stored"
                self.counts["published"] += 1


def _key(tick: int, body: bytes) -> tuple[int, str, str]:
    given = codec.decode(body)
    name = given["perturbation"]["name"] if given["op"] == "perturb" else given.get("name", "")
    return tick, given["op"], name
