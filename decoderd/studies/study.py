"""The study file: a protocol, seeds as ranges, fields that vary, and what is measured in each session.

name = "units"
protocol = "centre-out.toml"        # or a table [protocol]
seeds = ["1-10", 15]
measures = ["success", "time_to_target"]

[[vary]]                            # every `vary` is combined with every other: a grid
population.units = [50, 100]

[[vary]]                            # fields of one `vary` go together: the first values, then the second ...
decoder.kind = ["kalman", "steady_state_kalman"]
bin_ticks = [5, 10]
"""

from __future__ import annotations

import re
import tomllib
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, ValidationError, field_validator

from decoderd import files
from decoderd.config import Config, Count, explain
from decoderd.errors import DecoderdError
from decoderd.protocol import protocol as protocols

MOST_SESSIONS = 1_000_000
_RANGE = re.compile(r"(\d+)(?:-(\d+))?")

# Values by path of a field: {"population.units": [50, 100]}.
Values = dict[str, list[Any]]


class StudyError(DecoderdError):
    """A study file, its folder or what runs it is at fault."""

    code = "study"


def _seeds(given: Any) -> list[int]:
    """Seeds of one range or a list of ranges and numbers, in the order given."""
    found: list[int] = []
    for one in given if isinstance(given, list | tuple) else [given]:
        if isinstance(one, int) and not isinstance(one, bool):
            found.append(one)
            continue
        match = _RANGE.fullmatch(one.replace(" ", "")) if isinstance(one, str) else None
        if match is None:
            raise ValueError(f'{one!r}: expected a seed, or a range such as "1-20"')
        first, last = int(match[1]), int(match[2] or match[1])
        if not first <= last < first + MOST_SESSIONS:
            raise ValueError(f"{one!r}: expected a range of at most {MOST_SESSIONS} seeds, the lower one first")
        found += range(first, last + 1)
    twice = [seed for seed, times in Counter(found).items() if times > 1]
    if twice:
        raise ValueError(f"seed {twice[0]} is given twice")
    return found


def _by_path(given: Any, path: str = "") -> Any:
    """Fields of nested tables by their paths, as `population.units = [1, 2]` in TOML is a table in a table."""
    if not isinstance(given, Mapping):
        return given
    found: dict[str, Any] = {}
    for name, value in given.items():
        here = f"{path}.{name}" if path else str(name)
        if not isinstance(value, Mapping | list):
            raise ValueError(f"{here} = {value!r}: expected a list of values")
        found |= _by_path(value, here) if isinstance(value, Mapping) else {here: value}
    return found


class Study(Config):
    """A study. `protocol` is the plain data of a protocol, with paths that are absolute."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,63}$")]
    protocol: dict[str, Any]
    seeds: Annotated[
        tuple[Annotated[int, Field(strict=True, ge=0, le=2**63 - 1)], ...],
        BeforeValidator(_seeds),
        Field(min_length=1, description="seeds of each setting: numbers and ranges"),
    ]
    measures: Annotated[
        tuple[str | dict[str, Any], ...], Field(description="kinds of measures, or tables with a kind and its fields")
    ] = ("success",)
    vary: Annotated[
        tuple[Annotated[Values, BeforeValidator(_by_path)], ...], Field(description="values of fields of the protocol")
    ] = ()
    batch: Annotated[
        Count | None, Field(description="seeds computed together; absent: every session runs tick by tick")
    ] = None

    @field_validator("vary")
    @classmethod
    def _zipped(cls, vary: tuple[Values, ...]) -> tuple[Values, ...]:
        seen: set[str] = set()
        for number, one in enumerate(vary):
            lengths = {path: len(values) for path, values in one.items()}
            if not lengths or 0 in lengths.values():
                raise ValueError(f"number {number}: every field needs a list of one value or more")
            if len(set(lengths.values())) > 1:
                shown = ", ".join(f"{path} has {length}" for path, length in lengths.items())
                raise ValueError(
                    f"number {number}: fields of one [[vary]] go together and need equally many values: {shown}"
                )
            again = sorted(seen & one.keys())
            if again or "seed" in one:
                what = f"{again[0]} varies twice" if again else "seed: give seeds = [...] instead"
                raise ValueError(f"number {number}: {what}")
            seen |= one.keys()
        return vary

    @property
    def varied(self) -> list[str]:
        """Paths of the fields that vary."""
        return [path for one in self.vary for path in one]


def load(path: Path) -> Study:
    """Read a study file, with the protocol that it names.

    Raises StudyError, naming file and field, for a file that cannot be read or is no study, and ProtocolError for a
    protocol that cannot be read.
    """
    try:
        data = tomllib.loads(files.read_text(path))
    except FileNotFoundError:
        raise StudyError(f"{path}: no such study") from None
    except OSError as error:
        raise StudyError(f"{path}: cannot be read: {error.strerror}") from None
    except tomllib.TOMLDecodeError as error:
        raise StudyError(f"{path}: is not TOML: {error}") from None
    except ValueError as error:
        raise StudyError(f"{path}: {error}") from None
    named = data.get("protocol")
    where = path if not isinstance(named, str) else path.parent / named
    if isinstance(named, str):
        data["protocol"] = protocols.read(where)
    if isinstance(data.get("protocol"), dict):
        protocols.with_absolute_paths(data["protocol"], where)
    return parse(data, str(path))


def parse(data: Mapping[str, Any], source: str = "study") -> Study:
    """Validate a study given as plain data. Raises StudyError with a line for every fault."""
    try:
        return Study.model_validate(data)
    except ValidationError as error:
        found = explain(error, Study)
        lines = "\n".join(f"  {line}" for line in str(found).splitlines())
        raise StudyError(f"{source}:\n{lines}", found.field) from None


def combinations(vary: Sequence[Values]) -> list[dict[str, Any]]:
    """Every combination of the values of several [[vary]], the last one varying fastest; [{}] without any."""
    found: list[dict[str, Any]] = [{}]
    for one in vary:
        together = [dict(zip(one, values, strict=True)) for values in zip(*one.values(), strict=True)]
        found = [{**before, **values} for before in found for values in together]
    return found
