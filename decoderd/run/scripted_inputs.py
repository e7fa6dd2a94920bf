"""Inputs from a file, one JSON object a line, each with the tick that is to consume it:

{"tick": 1200, "op": "task", "event": "start"}
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

from decoderd.errors import ProtocolError, Refused
from decoderd.wire import inputs


class Scheduled:
    """Inputs by tick. `told` hears of those that a session refuses."""

    def __init__(
        self, by_tick: dict[int, list[inputs.AnyInput]], told: Callable[[int, Refused], None] = lambda tick, why: None
    ) -> None:
        self._by_tick, self._told = by_tick, told

    def due(self, tick: int) -> Sequence[inputs.AnyInput]:
        """Those of `tick`, in the order of the file."""
        return self._by_tick.get(tick, ())

    def after(self, tick: int) -> int:
        """How many are due at `tick` or later."""
        return sum(len(given) for due, given in self._by_tick.items() if due >= tick)

    def refused(self, given: inputs.AnyInput, tick: int, reason: Refused) -> None:
        """Pass it on."""
        self._told(tick, reason)


def load(path: Path, told: Callable[[int, Refused], None] = lambda tick, why: None) -> Scheduled:
    """Read a file of inputs. Raises ProtocolError naming the line and the field."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ProtocolError(f"{path}: cannot be read ({error})") from None
    by_tick: dict[int, list[inputs.AnyInput]] = {}
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            data = json.loads(line)
            if not isinstance(data, dict):
                raise ValueError("expected an object")
            tick = data.pop("tick", None)
            if not isinstance(tick, int) or isinstance(tick, bool) or tick < 0:
                raise ValueError(f"tick = {tick!r}: expected a whole number of at least 0")
            by_tick.setdefault(tick, []).append(inputs.parse(data))
        except json.JSONDecodeError as error:
            raise ProtocolError(f"{path}, line {number}: is not JSON: {error}") from None
        except ValueError as error:
            raise ProtocolError(f"{path}, line {number}: {error}") from None
    return Scheduled(by_tick, told)
