"""The contract of perturbations."""

from __future__ import annotations

from typing import Any, get_args

import numpy as np
import pytest
from pydantic import ValidationError

from decoderd.conformance.checks import ROUNDING, finite, mapped, pure, restored, same, storable
from decoderd.conformance.component import TIMING, ComponentContract, sample, valid_streams
from decoderd.decoders.linear import LINEAR
from decoderd.errors import Refused
from decoderd.perturbations import SITES, PerturbationConfig, PerturbationContext, SessionInfo
from decoderd.perturbations.envelope import Ramp
from decoderd.rng import Draws, open_streams
from decoderd.state import Command
from decoderd.trigger import Trigger

UNITS = 6
TICKS = 12


class PerturbationContract(ComponentContract):
    """The tests of a perturbation. Override `examples` with one configuration for each site the kind has."""

    family = "perturbations"

    def examples(self) -> list[Any]:
        """Valid configurations, one a site."""
        raise NotImplementedError

    def config(self) -> Any:
        """A valid configuration: the first of `examples`."""
        return self.examples()[0]

    def host(self) -> SessionInfo:
        """The session to be perturbed: 6 units and a linear decoder."""
        parameters = LINEAR.load({"M1": 0.5 * np.eye(2), "M2": sample(8).normal(0, 0.01, (2, UNITS))})
        return SessionInfo(UNITS, UNITS, True, LINEAR, parameters, TIMING, 1)

    # --- helpers ------------------------------------------------------------------------------------------------

    def values(self, site: str, batch: int, correction: bool = True) -> list[Any]:
        """Made-up values of `site`, one a tick."""
        draw = sample(9)

        def value() -> Any:
            if site == "cursor":
                return Command(
                    draw.normal(0, 0.1, (batch, 2)), draw.normal(0, 0.01, (batch, 2)) if correction else None
                )
            if site == "feedback":
                return draw.normal(0, 0.05, (batch, 4))
            return draw.uniform(1, 40, (batch, UNITS))

        return [value() for _ in range(TICKS)]

    def contexts(self, config: Any, seeds: tuple[int, ...]) -> list[Any]:
        """The other argument of the transform, one a tick: random rows for a neural one, else cursor and goal."""
        specs = {} if self.component.streams is None else self.component.streams(config, UNITS)
        streams = open_streams(seeds, f"perturbations/{config.name}", specs)
        if config.site == "neural":
            return [Draws(streams, 1, tick) for tick in range(TICKS)]
        cursor = np.repeat([[0.01, -0.02, 0.1, 0.0]], len(seeds), axis=0)
        goal = np.repeat([[0.05, 0.05]], len(seeds), axis=0)
        return [PerturbationContext(None if tick % 4 == 3 else goal, 0.012, cursor) for tick in range(TICKS)]

    def applied(
        self, config: Any, amount: float, values: list[Any], seeds: tuple[int, ...], again: bool = False
    ) -> list[Any]:
        """The values as perturbed; `again`: memory restored from a checkpoint each tick."""
        memory = self.component.begin(config, self.host())
        apply = self.component.sites[config.site]
        out = []
        for value, context in zip(values, self.contexts(config, seeds), strict=True):
            memory, changed = apply(config, restored(memory) if again else memory, amount, value, context)
            out.append(changed)
        return out

    def passing(self) -> list[Any]:
        """Examples that change a value every tick: all but those of the readout."""
        return [config for config in self.examples() if config.site != "readout"]

    # --- configuration ------------------------------------------------------------------------------------------

    def test_every_site_has_a_transform_and_an_example(self) -> None:
        declared = set(get_args(self.component.Config.model_fields["site"].annotation))
        assert declared == set(self.component.sites)
        assert declared <= set(SITES)
        assert {config.site for config in self.examples()} == declared
        assert issubclass(self.component.Config, PerturbationConfig)

    def test_needs_a_name(self) -> None:
        for config in self.examples():
            fields = config.model_dump()
            del fields["name"]
            with pytest.raises(ValidationError, match="name"):
                self.component.Config.model_validate(fields)

    def test_begin_is_pure_and_can_be_stored(self) -> None:
        for config in self.examples():
            storable(pure(self.component.begin, config, self.host()), "memory")
            if self.component.streams is not None:
                valid_streams(pure(self.component.streams, config, UNITS))

    def test_units_that_do_not_exist_are_refused(self) -> None:
        if "units" not in self.component.Config.model_fields:
            pytest.skip("this kind chooses no units")
        for config in self.examples():
            beyond = config.model_copy(update={"units": (UNITS,)})
            with pytest.raises(Refused) as caught:
                self.component.begin(beyond, self.host())
            assert caught.value.field == "units"

    # --- transforms ---------------------------------------------------------------------------------------------

    @pytest.mark.parametrize("correction", [True, False])
    def test_results_have_shapes_and_finite_numbers(self, correction: bool) -> None:
        for config in self.passing():
            values = self.values(config.site, 2, correction)
            for value, changed in zip(values, self.applied(config, 1.0, values, (1, 2)), strict=True):
                finite(changed)
                if config.site == "cursor":
                    assert isinstance(changed, Command)
                    assert changed.velocity.shape == value.velocity.shape
                    assert changed.correction is None or changed.correction.shape == value.velocity.shape
                else:
                    assert changed.shape == value.shape
                if config.site == "neural":
                    assert (changed >= 0).all()

    def test_transforms_are_pure(self) -> None:
        for config in self.passing():
            memory = self.component.begin(config, self.host())
            apply = self.component.sites[config.site]
            values = self.values(config.site, 2)
            for value, context in zip(values, self.contexts(config, (1, 2)), strict=True):
                memory, _ = pure(apply, config, memory, 1.0, value, context)
                storable(memory, "memory")

    def test_a_restored_perturbation_goes_on_the_same(self) -> None:
        for config in self.passing():
            values = self.values(config.site, 2)
            expected, found = (self.applied(config, 1.0, values, (1, 2), again) for again in (False, True))
            same(tuple(expected), tuple(found), where=f"{config.site} after a checkpoint")

    def test_a_batch_is_its_rows(self) -> None:
        for config in self.passing():
            values = self.values(config.site, 3)
            together = self.applied(config, 0.5, values, (1, 2, 3))
            for b in range(3):
                own = [rows(value, b) for value in values]
                for whole, alone in zip(together, self.applied(config, 0.5, own, (b + 1,)), strict=True):
                    same(rows(whole, b), alone, ROUNDING, f"row {b}")

    def test_changes_nothing_while_the_envelope_is_at_zero(self) -> None:
        for config in self.examples():
            ramp = config.model_copy(update={"envelope": Ramp(start=Trigger(tick=0), rise_s=1.0)})
            try:
                memory = self.component.begin(ramp, self.host())
            except Refused:
                continue  # this kind allows no ramp, so its envelope is never at 0 while it is on
            if config.site == "readout":
                host = self.host()
                rest = self.component.sites["readout"](ramp, memory, 0.0, host.decoder, host.decoder_parameters)
                same(host.decoder_parameters, rest, ROUNDING, "parameters")
                continue
            values = self.values(config.site, 2)
            same(tuple(values), tuple(self.applied(ramp, 0.0, values, (1, 2))), ROUNDING)

    def test_readouts_stay_decoders(self) -> None:
        for config in self.examples():
            if config.site == "readout":
                host = self.host()
                memory = self.component.begin(config, host)
                apply, decoder = self.component.sites["readout"], host.decoder
                changed = pure(apply, config, memory, 1.0, decoder, host.decoder_parameters)
                assert decoder.units(changed) == UNITS
                state = decoder.init(changed, 1)
                finite(decoder.step(changed, state, np.ones((1, UNITS)), np.zeros((1, 2))))


def rows(value: Any, b: int) -> Any:
    """Row b of an array or of a command, as a batch of one."""
    return mapped(lambda array: array[b : b + 1], value)
