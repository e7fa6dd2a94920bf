"""What a notebook needs, in one import: run a protocol in memory, step through it by hand, read a recording.

    from decoderd.api import Simulation, open_session, simulate

    recorded = simulate("first.toml", seed=2, set={"population.units": 50})
    recorded.trials(), recorded.ticks()["cursor"], recorded.counts()

A session run here gives the same messages, bit for bit, as one of the same name run and recorded by `decoderd run`.
"""

from __future__ import annotations

import copy
import re
import tomllib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from decoderd.errors import ProtocolError, Refused
from decoderd.preparation import session_warnings
from decoderd.preparation.parameters import prepare
from decoderd.protocol import protocol as protocols
from decoderd.protocol.protocol import Protocol
from decoderd.recording.reader import Recorded, RecordedSession, open_session
from decoderd.run import realtime
from decoderd.session.assembly import Session, assemble
from decoderd.session.step import initial, step
from decoderd.state import SessionState
from decoderd.wire import codec, inputs
from decoderd.wire.control import NAME

__all__ = ["Recorded", "RecordedInMemory", "RecordedSession", "Simulation", "open_session", "simulate"]

# A path, the text of a TOML protocol, plain data, or a protocol already validated.
ProtocolSource = str | Path | Mapping[str, Any] | Protocol

# A message: its topic, and its payload with the keys of `decoderd.wire.messages`.
Message = tuple[str, dict[str, Any]]


def simulate(
    protocol: ProtocolSource,
    *,
    seed: int | None = None,
    set: Mapping[str, Any] | None = None,
    name: str | None = None,
    on_progress: Callable[[SessionState], None] | None = None,
) -> Recorded:
    """Run a protocol to its end, as fast as possible, and return what it recorded, in memory.

    The result is read as a recorded session is: `ticks()` (cursor: T x 4, m and m/s), `counts()` (ticks x units),
    `trials()` (a record a trial), `messages(topic)`, `journal()`.

    `protocol`: a path, the text of a TOML protocol, plain data, or a `Protocol`. `seed` and `set` (key.path: value)
    override its fields. `name` is the session's name, in every message; by default that of the protocol and the seed.
    `on_progress(state)` is called after every tick.

    Raises ProtocolError, naming field, value and what is allowed, for a protocol that does not validate.
    """
    simulation = Simulation(protocol, seed=seed, set=set, name=name)
    simulation.run(on_progress=on_progress)
    return simulation.recorded


class Simulation:
    """A session in memory that is stepped by hand.

        simulation = Simulation("first.toml")
        simulation.step(100)                                       # 100 ticks; returns their messages
        simulation.perturb(name="turn", kind="rotation", site="cursor", angle_rad=0.7)
        simulation.run(until=lambda state: state.progress.trials == 5)
        simulation.recorded.trials()

    Making one draws the population and fits the decoder, which may take seconds. Arguments are those of `simulate`.

    session   the protocol with its components, which stays the same
    state     the state before the next tick, immutable: `state.tick`, `state.progress`, `state.parameters`, ...
    warnings  what is doubtful about it, such as targets out of reach (`InputWarning`)
    recorded  everything recorded so far: `ticks()`, `counts()`, `trials()`, `messages(topic)`, `journal()`
    """

    def __init__(
        self,
        protocol: ProtocolSource,
        *,
        seed: int | None = None,
        set: Mapping[str, Any] | None = None,
        name: str | None = None,
    ) -> None:
        if name is not None and not re.fullmatch(NAME, name):
            raise ProtocolError(
                f"name = {name!r}: expected letters, digits and _ . - (at most 64, no sign first)", "name"
            )
        parsed = validated(protocol, {} if seed is None else {"seed": seed}, set or {})
        with realtime.repeatable():
            parameters = prepare(parsed)
            session = assemble(parsed, parameters)
            self.session: Session = session if name is None else session._replace(name=name)
            self.state: SessionState = initial(self.session, parameters)
        self.warnings = session_warnings.warnings(parsed, parameters)
        self.recorded = RecordedInMemory(self.session, self.state)
        self._waiting: list[inputs.AnyInput] = []

    @property
    def protocol(self) -> Protocol:
        """What is run, every default filled in."""
        return self.session.protocol

    @property
    def done(self) -> bool:
        """Whether the session is over."""
        return self.state.progress.done

    def step(self, ticks: int = 1) -> list[Message]:
        """Carry out some ticks, fewer if the session ends before; returns their messages in order.

        Many ticks in one call are several times as fast as many calls: each call limits BLAS to one thread.
        Raises Refused if the session is over.
        """
        if self.done:
            raise Refused(f"session {self.session.name} is over since tick {self.state.tick}; make a new Simulation")
        found: list[Message] = []
        with realtime.repeatable():
            for _ in range(ticks):
                if self.done:
                    break
                found += self._tick()
        return found

    def run(
        self,
        until: Callable[[SessionState], bool] | None = None,
        on_progress: Callable[[SessionState], None] | None = None,
    ) -> None:
        """Carry out ticks until the session is over or `until(state)`, called after every tick, is true."""
        with realtime.repeatable():
            while not self.done:
                self._tick()
                if on_progress is not None:
                    on_progress(self.state)
                if until is not None and until(self.state):
                    break

    def give(self, given: Mapping[str, Any]) -> None:
        """Have the next tick consume an input, with the fields of `decoderd.wire.inputs`.

        For example {"op": "task", "event": "go", "target": (0.07, 0.0)} (m) or {"op": "kinematics", "velocity":
        (0.1, 0.0)} (m/s). Raises Refused, with the field at fault and nothing changed, for an input that is invalid
        or that the session cannot carry out.
        """
        try:
            parsed = inputs.parse(given)
        except inputs.InputFault as fault:
            raise Refused(str(fault), fault.field) from None
        if not self.done:
            with realtime.repeatable():
                step(self.session, self.state, [*self._waiting, parsed])  # pure: trying it changes nothing
        else:
            raise Refused(f"session {self.session.name} is over since tick {self.state.tick}: it takes no inputs")
        self._waiting.append(parsed)

    def perturb(self, **fields: Any) -> None:
        """Add a perturbation at the next tick; `fields` are those of one [[perturbations]] of a protocol.

        Raises Refused, as `give` does.
        """
        self.give({"op": "perturb", "perturbation": fields})

    def unperturb(self, name: str) -> None:
        """Remove a perturbation at the next tick. Raises Refused if there is none of this name."""
        self.give({"op": "unperturb", "name": name})

    def _tick(self) -> list[Message]:
        tick, given = self.state.tick, self._waiting
        self.state, messages = step(self.session, self.state, given)
        self._waiting = []
        self.recorded.add(messages, tick, given)
        return messages


class RecordedInMemory(Recorded):
    """What a simulation has recorded so far; read as a recorded session is (`recording.reader.Recorded`)."""

    def __init__(self, session: Session, state: SessionState) -> None:
        readouts = state.parameters.readouts
        self._session, self._readouts = session, None if readouts is None else readouts.tolist()
        self._bodies: dict[str, list[bytes]] = {}  # by topic: encoded messages, a tenth of the memory of decoded ones
        self._journal: list[tuple[int, dict[str, Any]]] = []

    def add(self, messages: list[Message], tick: int, consumed: list[inputs.AnyInput]) -> None:
        """Record the messages of a tick and the inputs it consumed."""
        for topic, payload in messages:
            self._bodies.setdefault(topic, []).append(codec.encode(payload))
        self._journal += [(tick, codec.decode(codec.encode(inputs.dump(given)))) for given in consumed]

    @property
    def name(self) -> str:
        """The session's name."""
        return self._session.name

    @property
    def protocol(self) -> Protocol:
        """What was run."""
        return self._session.protocol

    @property
    def readouts(self) -> list[int] | None:
        """The units that the decoder read when the session began; None: all."""
        return self._readouts

    def payloads(self, topic: str, from_number: int = 0) -> Iterator[dict[str, Any]]:
        """Payloads of a topic, in order, from a sequence number on; keys as in wire.messages."""
        yield from map(codec.decode, self._bodies.get(topic, [])[from_number:])

    def journal(self) -> list[tuple[int, dict[str, Any]]]:
        """(tick, input) in the order consumed."""
        return list(self._journal)


def validated(source: ProtocolSource, *overrides: Mapping[str, Any]) -> Protocol:
    """The protocol of a source, its fields (key.path: value) overridden. Raises ProtocolError."""
    path = None
    if isinstance(source, Protocol):
        data = protocols.dump(source)
    elif isinstance(source, Mapping):
        data = copy.deepcopy(dict(source))
    elif isinstance(source, str) and ("=" in source or "\n" in source):
        data = _parsed(source)
    else:
        path = Path(source)
        data = protocols.read(path)
    for override in overrides:
        for field, value in override.items():
            protocols.set_field(data, field, value, f"set {field} = {value!r}")
    return protocols.parse(data) if path is None else protocols.parse_file(data, path)


def _parsed(text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ProtocolError(f"protocol: neither the path of a file nor TOML: {error}") from None
