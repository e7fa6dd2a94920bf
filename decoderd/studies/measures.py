"""The contract of measures: numbers about a session, from each of its days or from its whole recording.

An entry point `decoderd.measures: <kind> = "module:OBJECT"` names a Measure. `of_day(config, day)` gives the numbers of
one day, which needs the memory of one day, and works for batches of sessions too. `of_session(config, recorded)` gives
numbers from the recording (`recording.reader.Recorded`), which has everything that the session published.

Numbers are values by name. A list is a curve: over something within the day, or in the session over anything.
"""

from __future__ import annotations

import math
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


class DayNumbers(NamedTuple):
    """Values and curves of one day, None for what is not finite."""

    values: dict[str, float | None]
    curves: dict[str, list[float | None]]


def of_day(measures: Sequence[Asked], day: Day) -> DayNumbers:
    """What the measures of days give for a day."""
    found: dict[str, Any] = {}
    for measure, config in measures:
        if measure.of_day is not None:
            found |= measure.of_day(config, day)
    return _sorted(found)


def gathered(days: Sequence[DayNumbers]) -> dict[str, Any]:
    """Numbers of a session from those of its days: `by_day`, `curves` by day, and `numbers`.

    A number of the session is the mean over its days; where there are several, `NAME_first` and `NAME_last` are those
    of the first and the last day.
    """
    whole: dict[str, float | None] = {}
    for name in days[0].values if days else ():
        values = [day.values[name] for day in days]
        known = [value for value in values if value is not None]
        whole[name] = math.fsum(known) / len(known) if known else None
        if len(values) > 1:
            whole |= {f"{name}_first": values[0], f"{name}_last": values[-1]}
    return {
        "numbers": whole,
        "by_day": [day.values for day in days],
        "curves": [day.curves for day in days],
        "session_curves": {},
    }


def with_session(gathered: Mapping[str, Any], measures: Sequence[Asked], recorded: Recorded) -> dict[str, Any]:
    """The numbers of a session with what the measures of recordings give."""
    found: dict[str, Any] = {}
    for measure, config in measures:
        if measure.of_session is not None:
            found |= measure.of_session(config, recorded)
    values, curves = _sorted(found)
    return {**gathered, "numbers": {**gathered["numbers"], **values}, "session_curves": curves}


def _sorted(found: Mapping[str, Any]) -> DayNumbers:
    values = {name: _finite(value) for name, value in found.items() if not _is_curve(value)}
    curves = {name: [_finite(point) for point in value] for name, value in found.items() if _is_curve(value)}
    return DayNumbers(values, curves)


def _is_curve(value: Any) -> bool:
    return isinstance(value, Sequence) or getattr(value, "ndim", 0) > 0


def _finite(value: Any) -> float | None:
    number = float(value)
    return number if math.isfinite(number) else None
