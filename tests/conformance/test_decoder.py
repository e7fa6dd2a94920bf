"""The contract of decoders fails for decoders that are broken on purpose."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

import numpy as np
import pytest
from pydantic import ConfigDict

from decoderd.checkpoint import stored
from decoderd.config import ComponentConfig
from decoderd.conformance import DecoderContract
from decoderd.decoders import linear
from decoderd.decoders.linear import LINEAR, Parameters
from decoderd.errors import ArrayError
from tests.conformance.breaking import check, failures, with_parts


class Smoothing(DecoderContract):
    """The linear decoder that comes with decoderd, with memory."""

    component = LINEAR
    optional = ("M1", "m0", "count_mean")

    def example(self):
        draw = np.random.default_rng(13)
        return {
            "M1": np.array([[0.7, 0.1], [0.0, 0.6]]),
            "M2": draw.normal(0, 0.02, (2, 9)),
            "m0": np.array([0.01, 0.02]),
            "count_mean": draw.uniform(1, 4, 9),
        }


class Memoryless(Smoothing):
    """The one that has an observation model."""

    def example(self):
        return {**super().example(), "M1": np.zeros((2, 2))}


# --- steps ------------------------------------------------------------------------------------------------------


def writes_into_its_state(parameters, v, counts, position):
    v *= 0.5
    return linear.step(parameters, v, counts, position)


def changes_the_counts(parameters, v, counts, position):
    found = linear.step(parameters, v, counts, position)
    counts[:] = 0
    return found


def draws_from_the_global_generator(parameters, v, counts, position):
    v, command = linear.step(parameters, v, counts, position)
    noisy = v + np.random.normal(size=v.shape)  # noqa: NPY002
    return noisy, command._replace(velocity=noisy)


def depends_on_the_batch(parameters, v, counts, position):
    return linear.step(parameters, v, counts - counts.mean(axis=0), position)


def puts_out_one_axis(parameters, v, counts, position):
    v, command = linear.step(parameters, v, counts, position)
    return v, command._replace(velocity=command.velocity[:, 0])


def puts_out_infinity(parameters, v, counts, position):
    v, command = linear.step(parameters, v, counts, position)
    with np.errstate(divide="ignore"):
        return v, command._replace(velocity=command.velocity / np.zeros(2))


def corrects_without_a_position(parameters, v, counts, position):
    v, command = linear.step(parameters, v, counts, position)
    return v, command._replace(correction=np.zeros_like(v))


def depends_on_memory_order(parameters, v, counts, position):
    v, command = linear.step(parameters, v, counts, position)
    v = v if parameters.M2.flags.c_contiguous else v + 1e-15
    return v, command._replace(velocity=v)


class Remembering:
    """A step that keeps the last velocity beside the state it belongs to, where no checkpoint has it."""

    def __init__(self) -> None:
        self.last: dict[int, Any] = {}
        self.kept: list[Any] = []  # so that an id stays that of one state

    def __call__(self, parameters, v, counts, position):
        before = self.last.get(id(v), np.zeros_like(v))
        following, command = linear.step(parameters, v + 0.1 * before, counts, position)
        self.last[id(following)] = v.copy()
        self.kept.append(following)
        return following, command


# --- many sessions ----------------------------------------------------------------------------------------------


def at_once(step):
    """The step of many sessions is another one."""
    return {"side_by_side": LINEAR.side_by_side._replace(step=step)}


def rounds_differently(parameters, v, counts, position):
    v, command = linear.step(parameters, v, counts, position)
    return v + 1e-15, command


def reads_the_first_decoder(parameters, v, counts, position):
    return linear.step(parameters._replace(M2=parameters.M2[:1]), v, counts, position)


# --- states and parameters --------------------------------------------------------------------------------------


class Unnamed(NamedTuple):
    """Parameters without a stored name."""

    M1: Any
    M2: Any
    m0: Any
    count_mean: Any
    Q: Any


class UnnamedState(NamedTuple):
    """A state without a stored name."""

    v: Any


def unnamed_step(parameters, state, counts, position):
    v, command = linear.step(parameters, state.v, counts, position)
    return UnnamedState(v), command


UNNAMED_STATE = {
    "init": lambda parameters, batch: UnnamedState(linear.init(parameters, batch)),
    "step": unnamed_step,
    "row": lambda state: state.v,
    "start": lambda parameters, state, initial: UnnamedState(linear.start(parameters, state.v, initial)),
}

LIST_STATE = {
    "init": lambda parameters, batch: [linear.init(parameters, batch)],
    "step": lambda parameters, state, counts, position: _listed(linear.step(parameters, state[0], counts, position)),
    "row": lambda state: state[0],
    "start": lambda parameters, state, initial: [linear.start(parameters, state[0], initial)],
}


def _listed(found):
    return [found[0]], found[1]


@stored("tests.conformance.decoder.inherited")
class Named(NamedTuple):
    """A class with a stored name."""

    v: Any


class Inherited(Named):
    """A class that has it from another: a checkpoint would give the other back."""


def inherited_step(parameters, state, counts, position):
    v, command = linear.step(parameters, state.v, counts, position)
    return Inherited(v), command


INHERITED_STATE = {
    **UNNAMED_STATE,
    "init": lambda parameters, batch: Inherited(linear.init(parameters, batch)),
    "step": inherited_step,
    "start": lambda parameters, state, initial: Inherited(linear.start(parameters, state.v, initial)),
}


# --- arrays -----------------------------------------------------------------------------------------------------


def keeps_the_callers_arrays(arrays):
    loaded = linear.load(arrays)
    return loaded._replace(M2=np.asarray(arrays["M2"]))


def names_no_field(arrays):
    try:
        return linear.load(arrays)
    except ArrayError as error:
        raise ArrayError(str(error)) from None


def raises_a_key_error(arrays):
    arrays["M2"]
    return linear.load(arrays)


def takes_any_shape(arrays):
    return linear.load({**arrays, "m0": np.ravel(arrays.get("m0", np.zeros(2)))})


def takes_nan(arrays):
    return linear.load({name: np.nan_to_num(np.asarray(array, dtype=float)) for name, array in arrays.items()})


def takes_text(arrays):
    kept = {name: array for name, array in arrays.items() if np.asarray(array).dtype.kind in "biuf"}
    return linear.load({"M2": np.zeros((2, 9)), **kept})


def takes_no_units(arrays):
    if "M2" in arrays and np.asarray(arrays["M2"]).size == 0:
        return linear.load({"M2": np.zeros((2, 1))})
    return linear.load(arrays)


def forgets_an_array(parameters):
    return {name: array for name, array in linear.arrays(parameters).items() if name != "m0"}


# --- perturbed, updated, learned through ------------------------------------------------------------------------


def rotates_about_zero(parameters, angle, units):
    angles = np.zeros(parameters.M2.shape[1])
    angles[units] = abs(angle)
    return parameters._replace(M2=linear.rotated(parameters.M2, angles))


def permutes_the_other_way(parameters, order):
    return parameters._replace(M2=parameters.M2[:, order], count_mean=parameters.count_mean[order])


def permutes_half_of_it(parameters, order):
    return parameters._replace(M2=parameters.M2[:, np.argsort(order)])


def linear_without_offset(parameters, v):
    return linear.linear(parameters, v)._replace(c=np.zeros(2))


def reads_the_first_units(parameters, units):
    return linear.reduced(parameters, np.arange(len(units)))


def fits_noise(recorded, calibration, config):
    n = recorded.counts.shape[1]
    return {"M2": np.random.default_rng(0).normal(0, 0.01, (2, n))}


def starts_at_rest(parameters, v, initial):
    linear.start(parameters, v, initial)
    return np.zeros_like(v)


def starts_anywhere(parameters, v, initial):
    return np.resize(np.nan_to_num(np.asarray(initial, dtype=float).ravel()[:2]), (len(v), 2))


OBSERVING = LINEAR.observing


CASES: dict[str, tuple[dict[str, Any], str, str]] = {
    "writes into its state": ({"step": writes_into_its_state}, "test_step_is_pure", "arguments, after the call"),
    "changes the counts": ({"step": changes_the_counts}, "test_step_is_pure", "arguments, after the call"),
    "draws globally": ({"step": draws_from_the_global_generator}, "test_step_is_pure", "called again"),
    "depends on the batch": ({"step": depends_on_the_batch}, "test_a_batch_is_its_rows", "row"),
    "one axis": ({"step": puts_out_one_axis}, "test_steps_have_shapes_and_finite_numbers", ""),
    "infinite": ({"step": puts_out_infinity}, "test_steps_have_shapes_and_finite_numbers", "finite"),
    "corrects blindly": (
        {"step": corrects_without_a_position},
        "test_steps_have_shapes_and_finite_numbers",
        "",
    ),
    "memory order": (
        {"step": depends_on_memory_order, "load": lambda arrays: _as_given(arrays)},
        "test_memory_order_does_not_matter",
        "bit for bit",
    ),
    "forgets on restore": ({"step": Remembering()}, "test_a_restored_decoder_goes_on_the_same", "after a checkpoint"),
    "rounds differently at once": (
        at_once(rounds_differently),
        "test_bins_of_many_sessions_are_those_of_each",
        "session 0",
    ),
    "one decoder for all": (at_once(reads_the_first_decoder), "test_bins_of_many_sessions_are_those_of_each", ""),
    "state without a stored name": (UNNAMED_STATE, "test_state_and_parameters_can_be_stored", "@stored"),
    "state that inherits a stored name": (INHERITED_STATE, "test_state_and_parameters_can_be_stored", "@stored"),
    "state is a list": (LIST_STATE, "test_state_and_parameters_can_be_stored", "list"),
    "parameters without a stored name": (
        {"load": lambda arrays: Unnamed(*linear.load(arrays))},
        "test_state_and_parameters_can_be_stored",
        "@stored",
    ),
    "keeps the caller's arrays": (
        {"load": keeps_the_callers_arrays},
        "test_load_is_pure_and_copies_arrays",
        "after the caller changed",
    ),
    "error without a field": ({"load": names_no_field}, "test_missing_arrays_are_named", ""),
    "KeyError": ({"load": raises_a_key_error}, "test_missing_arrays_are_named", "KeyError"),
    "takes any shape": ({"load": takes_any_shape}, "test_wrong_shapes_are_named", "DID NOT RAISE"),
    "takes NaN": ({"load": takes_nan}, "test_values_that_are_not_finite_are_named", "DID NOT RAISE"),
    "takes text": ({"load": takes_text}, "test_arrays_of_something_else_are_named", "DID NOT RAISE"),
    "takes no units": ({"load": takes_no_units}, "test_empty_arrays_are_refused", "DID NOT RAISE"),
    "forgets an array": ({"arrays": forgets_an_array}, "test_arrays_load_the_same", ""),
    "rotates one way only": ({"rotate": rotates_about_zero}, "test_rotate", ""),
    "rotates nothing": ({"rotate": lambda parameters, angle, units: parameters}, "test_rotate", "DID NOT RAISE"),
    "permutes the other way": ({"permute_units": permutes_the_other_way}, "test_permute_units", "decoded"),
    "permutes half of it": ({"permute_units": permutes_half_of_it}, "test_permute_units", "decoded"),
    "other units": ({"reduced": reads_the_first_units}, "test_reduced_reads_some_units_in_their_order", "velocity"),
    "linear step without offset": (
        {"linear": linear_without_offset},
        "test_linear_is_the_next_step_where_the_cursor_is_seen",
        "row",
    ),
    "fits noise": ({"fit": fits_noise}, "test_fit_decodes_what_it_was_fitted_to", ""),
    "starts at rest": ({"start": starts_at_rest}, "test_start", ""),
    "starts anywhere": ({"start": starts_anywhere}, "test_start", ""),
    "half a unit": ({"units": lambda parameters: parameters.M2.shape[1] / 2}, "test_units", ""),
}


def _as_given(arrays):
    """Parameters that keep the memory order of the caller's arrays."""
    return Parameters(
        *(np.array(value, order="K") for value in linear.load(arrays)._replace(M2=np.array(arrays["M2"], order="K")))
    )


def test_the_whole_decoders_pass():
    assert failures(Smoothing) == {}
    assert failures(Memoryless) == {}


def test_a_decoder_that_readout_perturbations_cannot_change_passes():
    assert failures(with_parts(Smoothing, rotate=None, permute_units=None)) == {}


@pytest.mark.parametrize("case", CASES)
def test_a_broken_decoder_fails(case):
    parts, test, says = CASES[case]
    check(Smoothing, parts, test, says)


@pytest.mark.parametrize(
    "observing",
    [
        OBSERVING._replace(replace=lambda parameters, new: parameters),
        OBSERVING._replace(replace=lambda parameters, new: parameters._replace(M2=new.C[:, :-1], m0=new.C[:, -1])),
        OBSERVING._replace(rows=lambda parameters, counts, position, velocity: (counts, velocity)),
    ],
    ids=["another model is ignored", "Q is ignored", "no constant"],
)
def test_a_broken_observation_model_fails(observing):
    check(Memoryless, {"observing": observing}, "test_observation_model")


# --- configuration, the same for all families -------------------------------------------------------------------


class Open(linear.LinearConfig):
    """Takes fields that it does not have."""

    model_config = ConfigDict(extra="ignore")


class Changeable(linear.LinearConfig):
    """Can be written into."""

    model_config = ConfigDict(frozen=False)


class AnyKind(ComponentConfig):
    """Its kind may be any text."""

    kind: str = "linear"


class OtherDefault(ComponentConfig):
    """Its kind is not its default."""

    kind: Literal["linear", "other"] = "linear"


@pytest.mark.parametrize(
    ("config", "test"),
    [
        (Open, "test_config_is_closed_and_frozen"),
        (Changeable, "test_config_is_closed_and_frozen"),
        (AnyKind, "test_kind_is_a_literal_with_its_value_as_default"),
        (OtherDefault, "test_kind_is_a_literal_with_its_value_as_default"),
    ],
)
def test_a_broken_configuration_fails(config, test):
    check(Smoothing, {"Config": config}, test)


def test_a_component_that_is_not_installed_fails():
    not_installed = with_parts(Smoothing, step=lambda *arguments: linear.step(*arguments))
    assert list(failures(not_installed, registered=False)) == ["test_is_registered_under_its_kind"]
