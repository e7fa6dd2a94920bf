"""What sessions that are computed side by side leave behind: their trials, losses and days, and a digest."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from decoderd.arrays import Array
from decoderd.batch.side_by_side import SideBySide
from decoderd.errors import DecoderdError
from decoderd.recording.reader import TRIAL_TYPES, Recorded, trial_record
from decoderd.session.assembly import Session
from decoderd.session.messages import Messages
from decoderd.state import SessionState
from decoderd.wire.codec import encode
from decoderd.wire.message import Payload
from decoderd.wire.messages import Day, Decoder, Perturbation, Plasticity, Trial

# The topics of the digest. Messages of ticks and counts, of which most of a recording consists, are not made.
DIGESTED = tuple(model.topic for model in (Trial, Perturbation, Plasticity, Decoder, Day))


class Outcome(NamedTuple):
    """A session that is over."""

    state: SessionState  # its last
    error: DecoderdError | None  # what ended it before its time
    trials: NDArray[Any]  # the trial table, see `recording.reader`
    losses: Array  # (U,) of the updates of plasticity
    loss_days: NDArray[np.int64]  # (U,) the days on which they were made
    digest: str  # of the messages that are no ticks, see `digest_of`


class _Record:
    """The messages of one session, as they come."""

    def __init__(self) -> None:
        self.trials: list[tuple[Any, ...]] = []
        self.losses: list[tuple[float, int]] = []
        self.digests = {topic: hashlib.sha256() for topic in DIGESTED}
        self._day = 1

    def take(self, messages: Messages) -> None:
        """Take the messages of a tick."""
        for topic, payload in messages:
            if topic in self.digests:
                self.digests[topic].update(encode(payload))
            if topic == Trial.topic:
                self.trials.append(trial_record(payload))
            elif topic == Plasticity.topic:
                self.losses.append((Plasticity.read(payload).loss, self._day))
            elif topic == Day.topic:
                self._day = Day.read(payload).day


def run(
    sessions: Sequence[Session], states: Sequence[SessionState], on_turn: Callable[[int], None] = lambda turns: None
) -> list[Outcome]:
    """Run sessions of one protocol, each with its own seed, to their ends; `states` are those before the first tick.

    `on_turn` is called with the number of ticks of the longest session so far. What ends one of them before its time is
    in its outcome; the others go on. Raises ProtocolError for sessions that cannot be computed beside one another.
    """
    records = [_Record() for _ in sessions]
    batch = SideBySide(sessions, states, lambda s, messages: records[s].take(messages))
    turns = 0
    while not batch.over:
        batch.turn()
        turns += 1
        on_turn(turns)
    found = []
    for s, record in enumerate(records):
        losses = np.array([loss for loss, _ in record.losses])
        days = np.array([day for _, day in record.losses], dtype=np.int64)
        trials = np.array(record.trials, dtype=TRIAL_TYPES)
        digest = _combined({topic: one.digest() for topic, one in record.digests.items()})
        found.append(Outcome(batch.states[s], batch.errors.get(s), trials, losses, days, digest))
    return found


def digest_of(recorded: Recorded) -> str:
    """SHA-256 over the messages of the topics `DIGESTED` of a recorded session, as `run` gives it for the same session.

    It is the digest of the topics' digests, in the order of `DIGESTED`.
    """
    return _combined({topic: _digest(recorded.payloads(topic)) for topic in DIGESTED})


def _digest(payloads: Iterator[Payload]) -> bytes:
    digest = hashlib.sha256()
    for payload in payloads:
        digest.update(encode(payload))
    return digest.digest()


def _combined(digests: Mapping[str, bytes]) -> str:
    return hashlib.sha256(b"".join(digests[topic] for topic in DIGESTED)).hexdigest()
