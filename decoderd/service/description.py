"""The reply to `describe`: a session and where it stands, from its state and its file."""

from __future__ import annotations

from typing import Any, NamedTuple

from decoderd import __version__
from decoderd.recording import summary
from decoderd.recording.store import Store
from decoderd.service.lockstep import Lockstep
from decoderd.service.shared_state import SharedState
from decoderd.session.assembly import Session
from decoderd.state import SessionState
from decoderd.wire import codec
from decoderd.wire.messages import Tick


class RunInfo(NamedTuple):
    """Constants of one incarnation of a served session."""

    session: Session
    store: Store
    incarnation: int
    from_tick: int
    speed: str
    stream: str  # endpoint
    control: str  # endpoint
    protocol: dict[str, Any]  # as plain data
    late: str = "catch-up"


def describe(run: RunInfo, shared: SharedState, lockstep: Lockstep | None, store: Store) -> dict[str, Any]:
    """The fields of the reply to `describe`. `store` reads the session file beside the recorder."""
    session, state = run.session, shared.session_state
    progress, schedule = state.progress, session.protocol.schedule
    readouts = state.parameters.readouts
    last = None if shared.last_tick is None else Tick.read(shared.last_tick)
    return {
        "decoderd": __version__,
        "session": session.name,
        "seed": session.protocol.seed,
        "state": shared.process_state,
        "incarnation": run.incarnation,
        "from_tick": run.from_tick,
        "speed": run.speed,
        "late": run.late,
        "tick": state.tick,
        "tick_s": session.timing.tick_s,
        "bin_ticks": session.timing.bin_ticks,
        "units": session.units,
        "channels": list(session.population.channels),
        "readouts": None if readouts is None else readouts.tolist(),
        "first_readouts": store.manifest()["readouts"],
        "day": progress.day,
        "days": schedule.days,
        "block": schedule.blocks[progress.block].name,
        "trial": state.log.trial,
        "trials": progress.trials,
        "successes": progress.successes,
        "phase": 0 if last is None else last.phase,
        "goal": None if last is None else last.goal,
        "cursor": session.effector.cursor(session.effector_plan, state.effector)[0].tolist(),
        "perturbations": [_perturbation(p) for p in state.perturbations],
        "decoder": _decoder(session, state.parameters.decoder),
        "clipped": state.clipped._asdict() if state.clipped.unit_ticks else None,
        "warnings": summary.warned(store),
        "participants": {} if lockstep is None else _participants(lockstep),
        "next": {topic: next_number(topic, state, store) for topic in (*codec.TOPICS, *codec.OBSERVED)},
        "committed": shared.committed,
        "stream": run.stream,
        "control": run.control,
        "protocol": run.protocol,
    }


def next_number(topic: str, state: SessionState, store: Store) -> int:
    """The next sequence number of a topic."""
    published = {"tick": state.tick, **state.sequences}
    return published[topic] if topic in published else store.next_number(topic)


def _decoder(session: Session, parameters: Any) -> dict[str, Any]:
    arrays = session.decoder.arrays(parameters)
    return {
        "kind": session.protocol.decoder.kind,
        "arrays": {name: list(array.shape) for name, array in arrays.items()},
    }


def _participants(lockstep: Lockstep) -> dict[str, Any]:
    return {
        one.name: {"unit": one.unit, "until": one.until, "taking_part": one.taking_part}
        for one in lockstep.participants.values()
    }


def _perturbation(p: Any) -> dict[str, Any]:
    state = "past" if p.offset >= 0 else "on" if p.onset >= 0 else "waiting"
    return {"name": p.spec.name, "state": state, "config": p.spec.model_dump(mode="json")}
