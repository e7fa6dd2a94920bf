"""A session that an environment steps: inputs are journalled, and the digest of its ticks is kept up."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import ThreadpoolController

from decoderd import files
from decoderd.preparation.parameters import prepare
from decoderd.protocol import protocol as protocols
from decoderd.protocol.protocol import Protocol
from decoderd.run import realtime
from decoderd.session.assembly import assemble
from decoderd.session.messages import Messages
from decoderd.session.step import initial, step
from decoderd.state import SessionState
from decoderd.wire import codec, inputs
from decoderd.wire.inputs import AnyInput


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
        # Looking for the libraries takes as long as many ticks, so it is done once.
        self._libraries = ThreadpoolController()

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
        return self._libraries.limit(limits=1, user_api="blas")

    def tick(self, given: Sequence[AnyInput] = ()) -> Messages:
        """Carry out a tick that consumes these inputs; returns its messages, the tick's own first.

        Raises Refused, with nothing changed, for an input that cannot be carried out.
        """
        tick = self.state.tick
        self.state, messages = step(self.session, self.state, given)
        self._journal += [(tick, codec.encode(inputs.dump(one))) for one in given]
        self._digest.update(codec.encode(messages[0][1]))
        return messages

    def ahead(self) -> tuple[SessionState, Messages]:
        """The next tick as it would be without inputs: the state after it, and its messages. Nothing is changed."""
        return step(self.session, self.state)

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


def _plain(given: dict[str, Any]) -> dict[str, Any]:
    """An input as JSON has it, the arrays of a decoder as rows of numbers."""
    arrays = {
        name: np.frombuffer(packed["data"], dtype="<f8").reshape(packed["shape"]).tolist()
        for name, packed in given.get("arrays", {}).items()
    }
    return given | ({"arrays": arrays} if arrays else {})
