"""The two ways to compute a batch of sessions, and the protocols that they take."""

from __future__ import annotations

from collections.abc import Sequence

from decoderd.batch import side_by_side
from decoderd.errors import ProtocolError
from decoderd.protocol.protocol import Protocol
from decoderd.studies import session_batch
from decoderd.studies.measures import Asked


def tick_by_tick(protocol: Protocol) -> bool:
    """Whether sessions are computed tick by tick, as no population learns in them, and not trial by trial."""
    return protocol.plasticity.kind == "none"


def check(protocol: Protocol, asked: Sequence[Asked]) -> None:
    """Raise ProtocolError, with the reason, for sessions that cannot be computed as a batch and measured so."""
    if not tick_by_tick(protocol):
        session_batch.check(protocol)
        return
    side_by_side.check(protocol)
    for place, one in enumerate(asked):
        if one.measure.counts:
            raise ProtocolError(
                f"measures.{place}: {one.config.kind!r} reads counts, which sessions side by side do not keep; "
                "leave out batch",
                f"measures.{place}",
            )
