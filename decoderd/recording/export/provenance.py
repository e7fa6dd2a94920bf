"""What an exported file says about where it comes from: protocol, seed, versions, digest, and which ticks it holds."""

from __future__ import annotations

import hashlib
from typing import Any

from decoderd import __version__
from decoderd.recording.export.reading import DayTicks
from decoderd.recording.reader import RecordedSession
from decoderd.recording.store import Store


def digest(store: Store) -> str:
    """SHA-256 over all tick messages that are stored, as the summary of a session has it."""
    found = hashlib.sha256()
    for chunk in store.chunks("tick"):
        found.update(chunk.data)
    return found.hexdigest()


def provenance(recorded: RecordedSession, day: DayTicks, of_session: str) -> dict[str, Any]:
    """Plain data about one day of a session whose digest is `of_session`.

    session                 its name
    seed, protocol          what was run, every default filled in
    readouts                units that the decoder read when the session began; None: all
    versions                of what the session ran on; `exported_by` is the decoderd that wrote the file
    incarnations            its processes: first tick, speed, conditions, versions
    digest, ticks           SHA-256 over the tick messages of the whole session so far, and how many these are
    day, first_tick, end_tick, day_ended     the day in the file, its first tick, the tick after its last, and whether
                            the day was over
    tick_s, bin_ticks       length of a tick, and ticks in a decoder bin
    """
    manifest = recorded.store.manifest()
    protocol = manifest["protocol"]
    return {
        "session": manifest["session"],
        "seed": protocol["seed"],
        "day": day.number,
        "first_tick": day.first_tick,
        "end_tick": day.end_tick,
        "day_ended": day.ended,
        "tick_s": protocol["tick_s"],
        "bin_ticks": protocol["bin_ticks"],
        "digest": of_session,
        "ticks": recorded.store.extent().tick,
        "readouts": manifest["readouts"],
        "versions": manifest["versions"],
        "exported_by": __version__,
        "incarnations": recorded.store.incarnations(),
        "protocol": protocol,
    }
