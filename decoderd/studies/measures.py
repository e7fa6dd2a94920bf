"""The contract of measures: numbers about a session, from each of its days or from its whole recording.

An entry point `decoderd.measures: <kind> = "module:OBJECT"` names a Measure. `of_day(config, day)` gives the numbers of
one day, which needs the memory of one day, and works for batches of sessions too. `of_session(config, recorded)` gives
numbers from the recording (`recording.reader.Recorded`), which has everything that the session published.

Numbers are values by name. A list is a curve: over something within the day, or in the session over anything.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import entry_points
from typing import Any, NamedTuple

from pydantic import ValidationError

from decoderd import registry
from decoderd.arrays import Array
from decoderd.config import ComponentConfig, explain
from decoderd.errors import ProtocolError
from decoderd.protocol.protocol import Protocol
from decoderd.recording.reader import Recorded
from decoderd.studies.study import StudyError

Numbers = Mapping[str, float | Sequence[float]]


class Day(NamedTuple):
    """One whole day of a session."""

    protocol: Protocol
    day: int
    trials: Any  # rows of the trial table that ended on the day, see `recording.reader`
    losses: Array  # (U,) of the updates of plasticity, each the mean of the trials that it is made from
    # By trial with a go cue, (ticks, readouts) from the go cue to the tick before the last; () where no measure of the
    # study reads counts.
    counts: Sequence[Any]


class Measure(NamedTuple):
    """What an entry point refers to: the model of its fields, and one of two functions."""

    Config: type[ComponentConfig]
    of_day: Callable[[Any, Day], Numbers] | None = None
    of_session: Callable[[Any, Recorded], Numbers] | None = None
    counts: bool = False  # whether `of_day` reads counts


class Asked(NamedTuple):
    """A measure with its fields, as a study asks for it."""

    measure: Measure
    config: Any


def asked(given: Sequence[str | Mapping[str, Any]]) -> list[Asked]:
    """The measures of a study. Raises StudyError for one that is not installed, or with fields that do not fit."""
    found = []
    for place, one in enumerate(given):
        data = {"kind": one} if isinstance(one, str) else dict(one)
        try:
            measure: Measure = registry.find("measures", str(data.get("kind")))
            found.append(Asked(measure, measure.Config.model_validate(data)))
        except ValidationError as error:
            fault = explain(error, measure.Config, f"measures.{place}.")
            raise StudyError(str(fault), fault.field) from None
        except ProtocolError as error:
            raise StudyError(f"measures.{place}: {error}", f"measures.{place}") from None
    return found


def plain(measures: Sequence[Asked]) -> list[dict[str, Any]]:
    """The measures as plain data, every default included, with the version of the package that each comes from."""
    packages = {point.name: point.dist for point in entry_points(group="decoderd.measures")}
    found = []
    for one in measures:
        package = packages.get(one.config.kind)
        version = f"{package.name} {package.version}" if package is not None else "unknown"
        found.append({**one.config.model_dump(mode="json"), "package": version})
    return found
