"""A session that an environment steps: inputs are journalled, and the digest of its ticks is kept up."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import ThreadpoolController

from decoderd import files
from decoderd.arrays import Array
from decoderd.preparation.parameters import prepare
from decoderd.protocol import protocol as protocols
from decoderd.protocol.protocol import Protocol
from decoderd.run import realtime
from decoderd.session.assembly import assemble
from decoderd.session.messages import Messages
from decoderd.session.step import Driven, drive, initial, move, step
from decoderd.state import SessionState
from decoderd.wire import codec, inputs
from decoderd.wire.inputs import AnyInput, Kinematics
from decoderd.wire.message import keys_of
from decoderd.wire.messages import Counts

_CHANNEL, _SHAPE, _DTYPE, _DATA = (keys_of(Counts)[name] for name in ("channel", "shape", "dtype", "data"))

Follow = Callable[[SessionState, SessionState, Messages], bool]


class RunningSession:
    """A session in memory, of which the present state, the journal and the digest are kept.

    `session` is its constant part, `state` the state before the next tick.
    """

    def __init__(self, protocol: Protocol) -> None:
        with realtime.repeatable():
            parameters = prepare(protocol)
            self.session = assemble(protocol, parameters)
            self.state = initial(self.session, parameters)
        self._journal: list[tuple[int, bytes]] = []
        self._digest = hashlib.sha256()
        self._ahead: Driven | None = None
        # Looking for the libraries takes as long as many ticks, so it is done once.
        self._blas = ThreadpoolController().select(user_api="blas")

    @property
    def done(self) -> bool:
        """Whether the session is over."""
        return self.state.progress.done

    @property
    def digest(self) -> str:
        """SHA-256 over all tick messages so far, as that of a recorded session."""
        return self._digest.hexdigest()

    def repeatable(self) -> Any:
        """A context in which BLAS has one thread, as where a session is recorded; other libraries are left alone."""
        return self._blas.limit(limits=1)

    def run(self, follow: Follow, given: Sequence[AnyInput] = ()) -> list[Messages]:
        """Carry out ticks, of which the first consumes these inputs, until `follow` is true or the session is over.

        `follow(before, after, messages)` is called after each tick. Returns their messages, the tick's own first.
        Raises Refused, with nothing changed, for an input that cannot be carried out.
        """
        passed = []
        ready = False
        while not ready:
            before = self.state
            after, messages = self._tick(given) if given else step(self.session, before)
            for one in given:
                self._journal.append((before.tick, codec.encode(inputs.dump(one))))
            self._digest.update(codec.encode(messages[0][1]))
            self.state, self._ahead, given = after, None, ()
            passed.append(messages)
            ready = follow(before, after, messages) or after.progress.done
        return passed

    def _tick(self, given: Sequence[AnyInput]) -> tuple[SessionState, Messages]:
        """The next tick with inputs. Kinematics change nothing in its first half, which may be known already."""
        if self._ahead is None or not all(isinstance(one, Kinematics) for one in given):
            return step(self.session, self.state, given)
        driven, take = self._ahead, self.session.decoder.take
        if take is not None and driven.begun.cue.start is None:  # at a start the decoder is reset after its inputs
            for one in given:
                begun = driven.begun
                driven = driven._replace(begun=begun._replace(decoder=take(begun.decoder, one)))
        return move(self.session, driven)

    def ahead(self) -> Driven:
        """The first half of the next tick as it would be without inputs. Nothing is changed."""
        if self._ahead is None:
            self._ahead = drive(self.session, self.state)
        return self._ahead

    def journal(self) -> list[tuple[int, dict[str, Any]]]:
        """(tick, input) in the order consumed, as that of a recorded session."""
        return [(tick, codec.decode(body)) for tick, body in self._journal]

    def save(self, folder: Path) -> None:
        """Write protocol.json and inputs.jsonl, from which `decoderd run` makes the same session.

        Raises OSError where they cannot be written; each file is then the former one.
        """
        folder.mkdir(parents=True, exist_ok=True)
        with files.replacing(folder / "inputs.jsonl") as out:
            for tick, given in self.journal():
                out.write(json.dumps({"tick": tick} | _plain(given)).encode() + b"\n")
        files.replace_text(folder / "protocol.json", json.dumps(protocols.dump(self.session.protocol), indent=1))


def bin_counts(messages: Messages, channel: str, readouts: Any) -> Array:
    """(N,) counts of the bin that ended with these messages, of the units `readouts`; None: of all."""
    for topic, payload in messages:
        if topic == Counts.topic and payload[_CHANNEL] == channel:
            counts = np.frombuffer(payload[_DATA], payload[_DTYPE]).reshape(payload[_SHAPE]).sum(axis=0)
            return np.asarray(counts if readouts is None else counts[readouts])
    raise AssertionError("no bin has ended")


def _plain(given: dict[str, Any]) -> dict[str, Any]:
    """An input as JSON has it, the arrays of a decoder as rows of numbers."""
    arrays = {
        name: np.frombuffer(packed["data"], dtype="<f8").reshape(packed["shape"]).tolist()
        for name, packed in given.get("arrays", {}).items()
    }
    return given | ({"arrays": arrays} if arrays else {})
