"""The part of the contract that all families share: a closed, frozen configuration, registered under its kind."""

from __future__ import annotations

from typing import Any, Literal, get_args, get_origin

import numpy as np
import pytest
from pydantic import ValidationError

from decoderd import registry
from decoderd.config import ComponentConfig
from decoderd.rng import Spec
from decoderd.state import Timing

# Ticks of 10 ms, five to a bin.
TIMING = Timing(tick_s=0.01, bin_ticks=5)


class ComponentContract:
    """Set `component`; override `config` where its fields have no defaults."""

    component: Any
    family: str

    def config(self) -> Any:
        """A valid configuration."""
        return self.component.Config()

    def test_kind_is_a_literal_with_its_value_as_default(self) -> None:
        field = self.component.Config.model_fields["kind"]
        assert get_origin(field.annotation) is Literal, "kind must be annotated Literal['...']"
        assert get_args(field.annotation) == (field.default,)

    def test_is_registered_under_its_kind(self) -> None:
        kind = self.component.Config.model_fields["kind"].default
        registered = registry.family(self.family)
        assert kind in registered, f"no entry point decoderd.{self.family}: {kind} is installed"
        assert registered[kind] is self.component

    def test_config_is_closed_and_frozen(self) -> None:
        config = self.config()
        assert isinstance(config, ComponentConfig)
        given = {name: getattr(config, name) for name in config.model_fields_set} | {"kind": config.kind}
        with pytest.raises(ValidationError, match="no_such_field"):
            self.component.Config(**given, no_such_field=1)
        with pytest.raises(ValidationError, match="frozen"):
            config.kind = "another"

    def test_config_survives_storage(self) -> None:
        config = self.config()
        again = self.component.Config.model_validate_json(config.model_dump_json())
        assert again == config
        assert hash(again) == hash(config)


def valid_streams(specs: Any) -> None:
    """Raise AssertionError unless `specs` is {name: Spec} of random streams that decoderd can open."""
    assert isinstance(specs, dict)
    for name, spec in specs.items():
        assert isinstance(name, str)
        assert isinstance(spec, Spec)
        assert spec.law in ("uniform", "normal")
        assert spec.width >= 1
        assert spec.dtype in ((np.float64,) if spec.law == "uniform" else (np.float64, np.float32))


def sample(seed: int = 0) -> np.random.Generator:
    """A generator for made-up inputs, the same on every run."""
    return np.random.default_rng(seed)
