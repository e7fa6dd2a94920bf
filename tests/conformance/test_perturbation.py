"""The contract of perturbations fails for perturbations that are broken on purpose."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pytest

from decoderd.config import ComponentConfig
from decoderd.conformance import PerturbationContract
from decoderd.errors import Refused
from decoderd.perturbations import delay, noise, rotation
from decoderd.perturbations.delay import DELAY
from decoderd.perturbations.noise import NOISE
from decoderd.perturbations.rotation import ROTATION
from decoderd.rng import Spec
from tests.conformance.breaking import check, failures


class Noise(PerturbationContract):
    """Of rates, with random numbers and chosen units."""

    component = NOISE

    def examples(self):
        return [self.component.Config(name="noise", sd_hz=10.0)]


class Delay(PerturbationContract):
    """Of the cursor and of what is seen, with memory."""

    component = DELAY

    def examples(self):
        return [self.component.Config(name=site, site=site, delay_s=0.05) for site in ("cursor", "feedback")]


class Rotation(PerturbationContract):
    """Of the readout among others."""

    component = ROTATION

    def examples(self):
        return [
            self.component.Config(name=site, site=site, angle_rad=0.5) for site in ("cursor", "feedback", "readout")
        ]


class Unnamed(NamedTuple):
    """Memory without a stored name."""

    units: Any
    sd_hz: float
    least_hz: float


def neural(changed):
    """The noise with its disturbed rates changed by a function of them."""

    def apply(config, memory, amount, rates, rows):
        memory, disturbed = noise.neural(config, memory, amount, rates, rows)
        return memory, changed(disturbed)

    return {"sites": {"neural": apply}}


def writes_into_the_rates(config, memory, amount, rates, rows):
    rates += 0.0
    rates[:, 0] += 1.0
    return noise.neural(config, memory, amount, rates, rows)


def draws_from_the_global_generator(config, memory, amount, rates, rows):
    return memory, np.maximum(rates + amount * np.random.normal(size=rates.shape), 0)  # noqa: NPY002


def ignores_the_envelope(config, memory, amount, rates, rows):
    return noise.neural(config, memory, 1.0, rates, rows)


def names_no_field(config, host):
    try:
        return noise.begin(config, host)
    except Refused as error:
        raise Refused(str(error)) from None


def takes_any_units(config, host):
    units = None if config.units is None else tuple(unit % host.units for unit in config.units)
    return noise.begin(config.model_copy(update={"units": units}), host)


class Unnameable(ComponentConfig):
    """A configuration that needs no name."""

    kind: str = "noise"
    name: str = "noise"
    site: str = "neural"
    sd_hz: float = 10.0
    units: None = None


NEURAL: dict[str, tuple[dict[str, Any], str, str]] = {
    "writes into the rates": (
        {"sites": {"neural": writes_into_the_rates}},
        "test_transforms_are_pure",
        "arguments, after the call",
    ),
    "draws globally": (
        {"sites": {"neural": draws_from_the_global_generator}},
        "test_transforms_are_pure",
        "called again",
    ),
    "ignores the envelope": (
        {"sites": {"neural": ignores_the_envelope}},
        "test_changes_nothing_while_the_envelope_is_at_zero",
        "",
    ),
    "depends on the batch": (
        neural(lambda rates: np.maximum(rates - 0.1 * rates.mean(axis=0), 0)),
        "test_a_batch_is_its_rows",
        "row",
    ),
    "negative rates": (neural(lambda rates: -rates), "test_results_have_shapes_and_finite_numbers", ""),
    "rates of another shape": (neural(lambda rates: rates[:, 1:]), "test_results_have_shapes_and_finite_numbers", ""),
    "rates that are not finite": (
        neural(lambda rates: np.full_like(rates, np.inf)),
        "test_results_have_shapes_and_finite_numbers",
        "finite",
    ),
    "memory without a stored name": (
        {"begin": lambda config, host: Unnamed(*noise.begin(config, host))},
        "test_begin_is_pure_and_can_be_stored",
        "@stored",
    ),
    "memory is a list": (
        {"begin": lambda config, host: [noise.begin(config, host)]},
        "test_begin_is_pure_and_can_be_stored",
        "list",
    ),
    "error without a field": ({"begin": names_no_field}, "test_units_that_do_not_exist_are_refused", ""),
    "takes any units": ({"begin": takes_any_units}, "test_units_that_do_not_exist_are_refused", "DID NOT RAISE"),
    "streams of another law": (
        {"streams": lambda config, units: {"rates": Spec("poisson", units)}},
        "test_begin_is_pure_and_can_be_stored",
        "",
    ),
    "a site without a transform": ({"sites": {}}, "test_every_site_has_a_transform_and_an_example", ""),
    "an unknown site": (
        {"sites": {"neural": noise.neural, "retina": noise.neural}},
        "test_every_site_has_a_transform_and_an_example",
        "",
    ),
    "needs no name": ({"Config": Unnameable}, "test_needs_a_name", "DID NOT RAISE"),
}


class Remembering:
    """A transform that keeps its delay line beside the memory, where no checkpoint has it."""

    def __init__(self) -> None:
        self.last: dict[int, Any] = {}
        self.kept: list[Any] = []  # so that an id stays that of one memory

    def __call__(self, config, memory, amount, seen, context):
        before = self.last.get(id(memory), seen)
        following = tuple(memory)
        if following is memory:
            following = (memory[0], memory[1], 0)
        self.last[id(following)] = seen.copy()
        self.kept.append(following)
        return following, seen + amount * (before - seen)


def test_the_whole_perturbations_pass():
    assert failures(Noise) == {}
    assert failures(Delay) == {}
    assert failures(Rotation) == {}


@pytest.mark.parametrize("case", NEURAL)
def test_a_broken_perturbation_of_rates_fails(case):
    parts, test, says = NEURAL[case]
    check(Noise, parts, test, says)


def test_a_perturbation_that_forgets_on_restore_fails():
    sites = {"cursor": delay.cursor, "feedback": Remembering()}
    check(Delay, {"sites": sites}, "test_a_restored_perturbation_goes_on_the_same", "feedback")


def without_corrections(config, memory, amount, command, context):
    memory, late = delay.cursor(config, memory, amount, command, context)
    return memory, late.velocity


def test_a_cursor_that_gets_no_command_fails():
    sites = {"cursor": without_corrections, "feedback": delay.feedback}
    check(Delay, {"sites": sites}, "test_results_have_shapes_and_finite_numbers")


def writes_into_the_decoder(config, memory, amount, decoder, parameters):
    parameters.M2[:] *= 1 + amount
    return parameters


def loses_a_unit(config, memory, amount, decoder, parameters):
    return decoder.reduced(parameters, np.arange(decoder.units(parameters) - 1))


@pytest.mark.parametrize("readout", [writes_into_the_decoder, loses_a_unit])
def test_a_readout_that_is_no_decoder_any_more_fails(readout):
    sites = {"cursor": rotation.cursor, "feedback": rotation.feedback, "readout": readout}
    check(Rotation, {"sites": sites}, "test_readouts_stay_decoders")
