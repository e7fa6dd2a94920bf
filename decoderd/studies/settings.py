"""The sessions of a study: a validated protocol for each combination of its values and each seed, before any is run."""

from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from decoderd.errors import ProtocolError
from decoderd.protocol import protocol as protocols
from decoderd.recording.session_file import versions
from decoderd.studies import batch_kinds, measures, study
from decoderd.studies.study import Study, StudyError

# To be raised when the same session would have other results than before.
VERSION = 1


class Setting(NamedTuple):
    """One session of a study. Without a protocol it cannot be run, for the reason given."""

    values: Mapping[str, Any]  # of the fields that vary, by path
    seed: int
    protocol: Mapping[str, Any] | None  # plain data, every default included
    fault: str | None
    identity: str  # hash of the protocol: the same on every machine
    key: str  # hash of protocol, measures and versions: the name of the result


def settings(given: Study) -> list[Setting]:
    """All sessions of a study, the seeds of one combination after the other.

    Raises StudyError for a measure that is not installed, a field that no setting has, and where no setting is valid.
    """
    asked = measures.asked(given.measures)
    _check_batch(given, asked)
    measured = measures.plain(asked)
    found, faults = [], []
    for values in study.combinations(given.vary):
        try:
            parsed = _resolved(given, values)
            if given.batch is not None:
                batch_kinds.check(parsed, asked)
            resolved = protocols.dump(parsed)
        except ProtocolError as error:
            faults.append(error)
            found += [_faulty(given, values, seed, str(error)) for seed in given.seeds]
            continue
        hashed = _without_paths(resolved)
        for seed in given.seeds:
            protocol, identity = {**resolved, "seed": seed}, _hash({**hashed, "seed": seed})
            key = _hash([VERSION, identity, measured, versions(), given.batch is not None])
            found.append(Setting(values, seed, protocol, None, identity, key))
    if faults:
        _check_fields(given, [one.protocol for one in found if one.protocol is not None], faults)
    return found


def _check_batch(given: Study, asked: Sequence[measures.Asked]) -> None:
    """Raise StudyError for a measure that needs a recording, which a batch has not."""
    for place, one in enumerate(asked):
        if given.batch is not None and one.measure.of_day is None:
            raise StudyError(
                f"measures.{place}: {one.config.kind!r} reads recordings, which sessions computed in batches have not; "
                "leave out batch",
                f"measures.{place}",
            )


def _resolved(given: Study, values: Mapping[str, Any]) -> Any:
    data = copy.deepcopy(given.protocol)
    for path, value in values.items():
        protocols.set_field(data, path, copy.deepcopy(value), f"vary: {path} = {value!r}")
    return protocols.parse(data)


def _faulty(given: Study, values: Mapping[str, Any], seed: int, fault: str) -> Setting:
    identity = _hash([given.protocol, values, seed])
    return Setting(values, seed, None, fault, identity, identity)


def _check_fields(given: Study, valid: Sequence[Mapping[str, Any]], faults: Sequence[ProtocolError]) -> None:
    """Raise StudyError where no setting is valid, or a field that varies is a field of no setting."""
    if not valid:
        raise StudyError(f"no setting of the study is valid; the first:\n  {faults[0]}", faults[0].field)
    for place, one in enumerate(given.vary):
        for path in one:
            if not any(_has(protocol, path) for protocol in valid):
                why = next((fault for fault in faults if fault.field == path), faults[0])
                raise StudyError(f"vary.{place}: {why}", f"vary.{place}.{path}")


def _has(data: Any, path: str) -> bool:
    for part in path.split("."):
        if isinstance(data, list) and part.isdigit() and int(part) < len(data):
            data = data[int(part)]
        elif isinstance(data, Mapping) and part in data:
            data = data[part]
        else:
            return False
    return True


def _without_paths(protocol: Mapping[str, Any]) -> dict[str, Any]:
    """The protocol with the contents of files in place of their paths. A file that cannot be read keeps its path."""
    found = dict(protocol)
    for family in ("population", "decoder"):
        component = found.get(family)
        path = component.get("file") if isinstance(component, Mapping) else None
        if component is not None and path is not None:
            try:
                found[family] = {**component, "file": hashlib.sha256(Path(path).read_bytes()).hexdigest()}
            except OSError:  # the session says so
                continue
    return found


def _hash(data: Any) -> str:
    return hashlib.sha256(json.dumps(data, sort_keys=True).encode()).hexdigest()[:32]
