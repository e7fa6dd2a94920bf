"""Inputs from a file of JSON lines.

Each line is an object with the tick that is to consume the input:

{"tick": 1200, "op": "task", "event": "start"}
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

from decoderd import files
from decoderd.errors import ProtocolError, Refused
from decoderd.wire import inputs


class ScriptedInputs:
    """Inputs by tick. `on_refused(tick, reason)` is called for those that a session refuses."""

    def __init__(
        self,
        by_tick: dict[int, list[inputs.AnyInput]],
        on_refused: Callable[[int, Refused], None] = lambda tick, reason: None,
    ) -> None:
        self._by_tick, self._on_refused = by_tick, on_refused

    def due(self, tick: int) -> Sequence[inputs.AnyInput]:
        """Inputs of `tick`, in the order of the file."""
        return self._by_tick.get(tick, ())

    def after(self, tick: int) -> int:
        """How many inputs are due at `tick` or later."""
        return sum(len(given) for due, given in self._by_tick.items() if due >= tick)

    def refused(self, given: inputs.AnyInput, tick: int, reason: Refused) -> None:
        """Report it to `on_refused`."""
        self._on_refused(tick, reason)


def load(path: Path, on_refused: Callable[[int, Refused], None] = lambda tick, reason: None) -> ScriptedInputs:
    """Read a file of inputs. Raises ProtocolError naming the line and the field."""
    try:
        lines = files.read_text(path).splitlines()
    except OSError as error:
        raise ProtocolError(f"{path}: cannot be read: {error.strerror}") from None
    except ValueError as error:
        raise ProtocolError(f"{path}: {error}") from None
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
    return ScriptedInputs(by_tick, on_refused)
