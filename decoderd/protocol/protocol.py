"""Protocol files: TOML or JSON, read, overridden and validated as a whole before a session runs."""

from __future__ import annotations

import functools
import json
import operator
import os
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import GenericAlias
from typing import Annotated, Any

from pydantic import Field, ValidationError, create_model, model_validator

from decoderd import files, registry
from decoderd.config import ComponentConfig, Config, explain
from decoderd.errors import ProtocolError
from decoderd.perturbations import PerturbationConfig
from decoderd.protocol.overnight import Overnight
from decoderd.protocol.pretraining import Pretraining
from decoderd.protocol.readouts import Readouts
from decoderd.schedule import Schedule
from decoderd.state import Timing

SHORTEST_TICK_S, LONGEST_TICK_S = 0.001, 0.1


class Protocol(Config):
    """The configuration of a session. Fields of components hold the configuration of a registered kind.

    Protocol and inputs together determine every number of a session.
    """

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,63}$")]
    seed: Annotated[int, Field(strict=True, ge=0, le=2**63 - 1)] = 1
    tick_s: Annotated[float, Field(strict=True, ge=SHORTEST_TICK_S, le=LONGEST_TICK_S)] = 0.01
    bin_ticks: Annotated[int, Field(strict=True, ge=1, le=1000)] = 5
    schedule: Schedule
    task: ComponentConfig
    effector: ComponentConfig
    population: ComponentConfig
    decoder: ComponentConfig
    updater: ComponentConfig
    readouts: Readouts = Readouts()
    plasticity: ComponentConfig
    pretraining: Pretraining | None = None
    overnight: Overnight = Overnight()
    perturbations: tuple[PerturbationConfig, ...] = ()

    @model_validator(mode="after")
    def _names_differ(self) -> Protocol:
        names = [perturbation.name for perturbation in self.perturbations]
        duplicates = {name for name in names if names.count(name) > 1}
        if duplicates:
            raise ValueError(f"perturbations need names of their own; given twice: {', '.join(sorted(duplicates))}")
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle as plain data: the class is created at runtime, from the installed kinds."""
        return parse, (dump(self),)

    @property
    def session(self) -> str:
        """The name of a session of this protocol and seed."""
        return f"{self.name}-{self.seed}"

    @property
    def timing(self) -> Timing:
        """Durations of tick and bin."""
        return Timing(self.tick_s, self.bin_ticks)


def _any_kind(family: str) -> Any:
    configs = [component.Config for component in registry.family(family).values()]
    if len(configs) == 1:
        return configs[0]
    return Annotated[functools.reduce(operator.or_, configs), Field(discriminator="kind")]


def _pretraining() -> Any:
    kinds = {"effector": (_any_kind("effectors"), ...), "plasticity": (_any_kind("plasticity"), ...)}
    return create_model("Pretraining", __base__=Pretraining, __module__=__name__, **kinds)  # type: ignore[call-overload]


@functools.cache
def model() -> type[Protocol]:
    """The class `Protocol` whose fields of components allow the installed kinds only."""
    _perturbation_model()  # now, since it takes as long as several ticks of a session that is perturbed later
    tuple_of_any: Any = GenericAlias(tuple, (_any_kind("perturbations"), ...))
    return create_model(
        "Protocol",
        __base__=Protocol,
        task=(_any_kind("tasks"), ...),
        effector=(_any_kind("effectors"), {"kind": "cursor"}),
        population=(_any_kind("populations"), ...),
        decoder=(_any_kind("decoders"), ...),
        updater=(_any_kind("updaters"), {"kind": "none"}),
        plasticity=(_any_kind("plasticity"), {"kind": "none"}),
        pretraining=(_pretraining() | None, None),
        perturbations=(tuple_of_any, ()),
    )


@functools.cache
def _perturbation_model() -> type[Config]:
    return create_model("Perturbation", __base__=Config, perturbation=(_any_kind("perturbations"), ...))


_DEFAULTS = {
    name: {"kind": kind} for name, kind in (("effector", "cursor"), ("updater", "none"), ("plasticity", "none"))
}


def parse(data: Mapping[str, Any]) -> Protocol:
    """Validate a protocol given as plain data. Raises ProtocolError with a line for every fault."""
    try:
        return model().model_validate({**_DEFAULTS, **data})
    except ValidationError as error:
        raise explain(error, model()) from None


def parse_perturbation(data: Mapping[str, Any]) -> PerturbationConfig:
    """Validate one perturbation given as plain data, as in an input. Raises ProtocolError."""
    try:
        checked: Any = _perturbation_model().model_validate({"perturbation": dict(data)})
        return checked.perturbation
    except ValidationError as error:
        raise explain(error, _perturbation_model()) from None


def dump(protocol: Protocol) -> dict[str, Any]:
    """The protocol as plain data, every default included; `parse` makes an equal protocol of it."""
    return protocol.model_dump(mode="json", serialize_as_any=True)


def read(path: Path) -> dict[str, Any]:
    """The fields of a protocol file as plain data, not validated: TOML, or JSON if its name ends in .json.

    Raises ProtocolError for a file that cannot be read.
    """
    try:
        text = files.read_text(path)
        data = json.loads(text) if path.suffix == ".json" else tomllib.loads(text)
    except FileNotFoundError:
        raise ProtocolError(f"{path}: no such protocol") from None
    except OSError as error:
        raise ProtocolError(f"{path}: cannot be read: {error.strerror}") from None
    except tomllib.TOMLDecodeError as error:
        raise ProtocolError(f"{path}: is not TOML: {error}") from None
    except json.JSONDecodeError as error:
        raise ProtocolError(f"{path}: is not JSON: {error}") from None
    except ValueError as error:
        raise ProtocolError(f"{path}: {error}") from None
    if not isinstance(data, dict):
        raise ProtocolError(f"{path}: expected a table of fields, not {type(data).__name__}")
    return data


def load(path: Path, overrides: Iterable[str] = ()) -> Protocol:
    """Read and validate a protocol file, `overrides` ("key.path=value") applied first.

    Paths in the file are relative to its folder. Raises ProtocolError naming file, field, value and what is allowed.
    """
    data = read(path)
    for override in overrides:
        apply_override(data, override)
    return parse_file(data, path)


def parse_file(data: dict[str, Any], path: Path) -> Protocol:
    """Validate the fields of the protocol file `path`; relative paths start at its folder, and errors name it."""
    with_absolute_paths(data, path)
    try:
        return parse(data)
    except ProtocolError as error:
        raise ProtocolError(
            f"{path}:\n" + "\n".join(f"  {line}" for line in str(error).splitlines()), error.field
        ) from None


def with_absolute_paths(data: dict[str, Any], path: Path) -> None:
    """Make the paths of files absolute that start at the folder of the protocol file `path`."""
    for family in ("population", "decoder"):
        component = data.get(family)
        if isinstance(component, dict) and isinstance(component.get("file"), str):
            component["file"] = os.path.abspath(path.parent / component["file"])


def apply_override(data: dict[str, Any], override: str) -> None:
    """Set `key.path=value` in plain data; lists are indexed by number. The value is TOML, else a string."""
    path, equals, text = override.partition("=")
    if not equals or not path.strip():
        raise ProtocolError(f"--set {override}: expected KEY=VALUE, such as population.units=50", path or None)
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        value = text.strip()
    set_field(data, path.strip(), value, f"--set {override}")


def set_field(data: dict[str, Any], path: str, value: Any, source: str) -> None:
    """Set the field at `key.path` in plain data; lists are indexed by number.

    Raises ProtocolError, which begins with `source`, where the path does not exist.
    """
    *parents, last = path.split(".")
    here: Any = data
    for done, part in enumerate(parents):
        here = _enter(here, part, ".".join(parents[: done + 1]), source)
    if isinstance(here, list):
        _enter(here, last, path, source)
        here[int(last)] = value
    elif isinstance(here, dict):
        here[last] = value
    else:
        raise ProtocolError(f"{source}: {'.'.join(parents)} holds {here!r}, which has no fields", path)


def _enter(here: Any, part: str, path: str, source: str) -> Any:
    if isinstance(here, dict):
        return here.setdefault(part, {})
    if isinstance(here, list):
        if not part.isdigit() or int(part) >= len(here):
            raise ProtocolError(f"{source}: {path}: expected an index 0..{len(here) - 1}", path)
        return here[int(part)]
    raise ProtocolError(f"{source}: {path} leads into {here!r}, which has no fields", path)
