"""The two ways to compute a batch of sessions, and the protocols that they take."""

from __future__ import annotations

from collections.abc import Sequence

from decoderd.batch import side_by_side
from decoderd.errors import ProtocolError
from decoderd.protocol.protocol import Protocol
from decoderd.studies import session_batch
from decoderd.studies.measures import Asked


def tick_by_tick(protocol: Protocol) -> bool:
    """Whether sessions are computed tick by tick, and not trial by trial, which is faster and takes few protocols."""
    return _not_by_trials(protocol) != ""


def _not_by_trials(protocol: Protocol) -> str:
    """Why sessions cannot be computed trial by trial; "" if they can."""
    try:
        session_batch.check(protocol)
    except ProtocolError as error:
        return str(error)
    return ""


def check(protocol: Protocol, asked: Sequence[Asked]) -> None:
    """Raise ProtocolError, with the reason, for sessions that cannot be computed as a batch and measured so."""
    reason = _not_by_trials(protocol)
    if not reason:
        return
    side_by_side.check(protocol)
    for place, one in enumerate(asked):
        if one.measure.counts:
            raise ProtocolError(
                f"measures.{place}: {one.config.kind!r} reads counts, which sessions of a batch keep only where they "
                f"are computed trial by trial; leave out batch. They are not, because of {reason}",
                f"measures.{place}",
            )
