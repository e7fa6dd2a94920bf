"""Which days are exported: the option `--days`."""

from __future__ import annotations

import re
from collections.abc import Sequence

from decoderd.errors import ProtocolError
from decoderd.recording.export.reading import DayTicks


def chosen(text: str | None, recorded: Sequence[DayTicks], where: str) -> list[DayTicks]:
    """The days that are named, such as 3, 3-5 or 1,3-5; all that are recorded without a text.

    Raises ProtocolError for another form, and for a day that the session `where` has not.
    """
    if text is None:
        return list(recorded)
    wanted: set[int] = set()
    for part in text.split(","):
        found = re.fullmatch(r"\s*(\d+)\s*(?:-\s*(\d+)\s*)?", part)
        first, last = (0, -1) if found is None else (int(found[1]), int(found[2] or found[1]))
        if first < 1 or last < first:
            raise ProtocolError(f"--days {text}: expected days from 1 on, such as 3, 3-5 or 1,3-5", "days")
        if last > len(recorded):
            has = f"days 1 to {len(recorded)}" if len(recorded) > 1 else "day 1 alone"
            raise ProtocolError(f"--days {text}: {where} has {has}", "days")
        wanted.update(range(first, last + 1))
    return [day for day in recorded if day.number in wanted]
