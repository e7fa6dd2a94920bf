"""The contract of populations fails for populations that are broken on purpose."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from decoderd.conformance import PopulationContract
from decoderd.errors import ArrayError
from decoderd.populations import COUNTS, manifold
from decoderd.populations import tuned as module
from decoderd.populations.manifold import MANIFOLD
from decoderd.populations.rnn.population import RNN
from decoderd.populations.tuned import TUNED
from decoderd.rng import Spec
from tests.conformance.breaking import check, failures


class Tuned(PopulationContract):
    """The population that comes with decoderd."""

    component = TUNED

    def config(self):
        return self.component.Config(units=12, drift={"preferred_rad": 0.1, "baseline": 0.1})


class OfAFile(PopulationContract):
    """One that reads its individual from a file."""

    component = MANIFOLD

    def config(self):
        return self.component.Config(file=Path("individual.npz"))

    def example(self):
        draw = np.random.default_rng(14)
        return {
            "baseline": draw.uniform(1, 3, 8),
            "loadings": draw.normal(0, 0.5, (8, 3)),
            "resting": draw.normal(0, 0.2, 3),
            "tuning": draw.normal(0, 1, (4, 3)),
            "shared": np.tril(draw.normal(0, 0.5, (3, 3))),
            "private": draw.uniform(0, 0.3, 8),
            "bin_s": np.array(0.05),
        }


class Network(PopulationContract):
    """One that can learn."""

    component = RNN

    def config(self):
        return self.component.Config(units=7, encoder_units=5, feedback_delay_s=0.03)


# --- individuals ------------------------------------------------------------------------------------------------


def draws_an_individual_globally(config, generator, arrays):
    return module.load(config, np.random.default_rng(), arrays)


def changes_in_the_night(config, parameters, generator):
    parameters.weights[0] += 0.1
    return parameters


def loses_a_unit_overnight(config, parameters, generator):
    return parameters._replace(weights=parameters.weights[:, 1:])


class Unnamed(NamedTuple):
    """Parameters without a stored name."""

    weights: Any


class UnnamedState(NamedTuple):
    """A state without a stored name."""

    subject: Any


def unnamed_rates(plan, parameters, state, *rest):
    state, rates, intent = module.rates(plan, parameters, state.subject, *rest)
    return UnnamedState(state), rates, intent


def at_once(how):
    """Ticks of many sessions, changed by a function of states and rates."""
    many = module.TUNED.side_by_side
    return {"side_by_side": many._replace(rates=lambda *given: how(*many.rates(*given)))}


UNNAMED_STATE = {
    "init": lambda plan, parameters, cursor: UnnamedState(module.init(plan, parameters, cursor)),
    "rates": unnamed_rates,
}


# --- rates and spikes -------------------------------------------------------------------------------------------


def rates(how):
    """The rates changed by a function of them."""

    def function(plan, parameters, state, cue, seen, now, draws):
        state, found, intent = module.rates(plan, parameters, state, cue, seen, now, draws)
        return state, how(found), intent

    return {"rates": function}


def spikes(how):
    """The channel of counts changed by a function of it."""

    def function(plan, parameters, state, given, draws):
        state, found = module.spikes(plan, parameters, state, given, draws)
        return state, {COUNTS: how(found[COUNTS])}

    return {"spikes": function}


def writes_into_the_rates(plan, parameters, state, given, draws):
    given *= 0.5
    return module.spikes(plan, parameters, state, given, draws)


def draws_from_the_global_generator(plan, parameters, state, given, draws):
    return state, {COUNTS: np.random.poisson(given * plan.tick_s).astype(np.uint8)}  # noqa: NPY002


def names_another_channel(plan, parameters, state, given, draws):
    return state, {"spikes": module.spikes(plan, parameters, state, given, draws)[1][COUNTS]}


def silence_wakes_the_others(plan, parameters, state, given, draws):
    """Units share one number: what one does changes what the next one draws."""
    shifted = given * (1 + (given[:, :1] == 0))
    return module.spikes(plan, parameters, state, shifted, draws)


class Remembering:
    """Spikes with a refractory time that is kept beside the state, where no checkpoint has it."""

    def __init__(self) -> None:
        self.last: dict[int, Any] = {}
        self.kept: list[Any] = []  # so that an id stays that of one state

    def __call__(self, plan, parameters, state, given, draws):
        ready = self.last.get(id(state.goal), 1.0) if hasattr(state, "goal") else self.last.get(id(state), 1.0)
        state = state._replace()
        _, found = module.spikes(plan, parameters, state, given * ready, draws)
        self.last[id(state)] = found[COUNTS] == 0
        self.kept.append(state)
        return state, found


def remembering_rates(memory):
    """Rates that hand the state of the spikes on, so that it is that of the tick before."""

    def function(plan, parameters, state, cue, seen, now, draws):
        before = memory.last.get(id(state), 1.0)
        following, found, intent = module.rates(plan, parameters, state, cue, seen, now, draws)
        memory.last[id(following)] = before
        memory.kept.append(following)
        return following, found, intent

    return function


def successive(how):
    """What successive ticks give, changed by a function of it: states, rates, intents, counts."""

    def function(plan, parameters, state, cue, seen, now, draws):
        return how(*module.successive(plan, parameters, state, cue, seen, now, draws))

    return {"successive": function}


MEMORY = Remembering()

CASES: dict[str, tuple[dict[str, Any], str, str]] = {
    "draws an individual globally": (
        {"load": draws_an_individual_globally},
        "test_load_draws_the_same_individual_from_the_same_generator",
        "parameters",
    ),
    "parameters without a stored name": (
        {"load": lambda *given: Unnamed(*module.load(*given))},
        "test_load_draws_the_same_individual_from_the_same_generator",
        "@stored",
    ),
    "no units": (
        {"units": lambda parameters: 0},
        "test_load_draws_the_same_individual_from_the_same_generator",
        "",
    ),
    "changes in the night": (
        {"overnight": changes_in_the_night},
        "test_overnight_is_reproducible_and_keeps_the_units",
        "",
    ),
    "loses a unit overnight": (
        {"overnight": loses_a_unit_overnight},
        "test_overnight_is_reproducible_and_keeps_the_units",
        "",
    ),
    "draws the night globally": (
        {"overnight": lambda config, parameters, generator: module.load(config, np.random.default_rng(), {})},
        "test_overnight_is_reproducible_and_keeps_the_units",
        "parameters of the next day",
    ),
    "streams of another law": (
        {
            "streams": lambda config, parameters: {
                **module.streams(config, parameters),
                "more": Spec("poisson", 1),
            }
        },
        "test_streams_are_valid",
        "",
    ),
    "state without a stored name": (UNNAMED_STATE, "test_steps_are_pure", "@stored"),
    "negative rates": (rates(lambda found: found - 50.0), "test_rates_and_counts_have_shapes_and_finite_numbers", ""),
    "rates of NaN": (rates(lambda found: found * np.nan), "test_rates_and_counts_have_shapes_and_finite_numbers", ""),
    "rates of some units": (
        rates(lambda found: found[:, 1:]),
        "test_rates_and_counts_have_shapes_and_finite_numbers",
        "",
    ),
    "rates depend on the batch": (
        rates(lambda found: found - 0.1 * found.min(axis=0)),
        "test_a_batch_equals_each_seed_alone",
        "",
    ),
    "draws globally": ({"spikes": draws_from_the_global_generator}, "test_steps_are_pure", "called again"),
    "writes into the rates": ({"spikes": writes_into_the_rates}, "test_steps_are_pure", "arguments, after the call"),
    "another channel": ({"spikes": names_another_channel}, "test_steps_are_pure", "channels"),
    "a channel that is not there": ({"channels": (COUNTS, "bursts")}, "test_steps_are_pure", "channels"),
    "counts are not first": ({"channels": ("bursts", COUNTS)}, "test_the_channel_counts_comes_first", ""),
    "signed counts": (
        spikes(lambda counts: counts.astype(np.int64)),
        "test_rates_and_counts_have_shapes_and_finite_numbers",
        "",
    ),
    "halves of spikes": (
        spikes(lambda counts: counts.astype(np.float32) / 2),
        "test_rates_and_counts_have_shapes_and_finite_numbers",
        "",
    ),
    "counts of some units": (
        spikes(lambda counts: counts[:, 1:]),
        "test_rates_and_counts_have_shapes_and_finite_numbers",
        "",
    ),
    "counts depend on the batch": (
        spikes(lambda counts: counts + (counts.sum(axis=0) > 2).astype(np.uint8)),
        "test_a_batch_equals_each_seed_alone",
        "counts",
    ),
    "silence wakes the others": (
        {"spikes": silence_wakes_the_others},
        "test_a_silent_unit_leaves_the_spikes_of_the_others_unchanged",
        "other units",
    ),
    "successive states that lag": (
        successive(lambda states, *rest: ([states[0], *states[:-1]], *rest)),
        "test_successive_ticks_of_a_bin_are_those_one_by_one",
        "states",
    ),
    "successive rates in another order of sums": (
        successive(lambda states, found, *rest: (states, found * (1 + 1e-15), *rest)),
        "test_successive_ticks_of_a_bin_are_those_one_by_one",
        "rates",
    ),
    "successive counts of the first tick": (
        successive(lambda *found: (*found[:3], {COUNTS: np.repeat(found[3][COUNTS][:1], len(found[0]), axis=0)})),
        "test_successive_ticks_of_a_bin_are_those_one_by_one",
        "counts",
    ),
    "sessions at once in another order of sums": (
        at_once(lambda state, found: (state, found * (1 + 1e-15))),
        "test_ticks_of_many_sessions_are_those_of_each",
        "session 0 in tick 1",
    ),
    "sessions at once with the numbers of others": (
        at_once(lambda state, found: (state, found[::-1])),
        "test_ticks_of_many_sessions_are_those_of_each",
        "session 0 in tick 1",
    ),
    "loses a unit with the decoder": (
        {"with_decoder": lambda config, given, weights: given._replace(weights=given.weights[:, 1:])},
        "test_a_population_that_knows_its_decoder_has_the_same_units",
        "",
    ),
    "forgets on restore": (
        {"spikes": MEMORY, "rates": remembering_rates(MEMORY)},
        "test_a_restored_population_continues_with_the_same_bits",
        "counts",
    ),
}


def test_the_whole_populations_pass():
    assert failures(Tuned) == {}
    assert failures(OfAFile) == {}
    assert failures(Network) == {}


@pytest.mark.parametrize("case", CASES)
def test_a_broken_population_fails(case):
    parts, test, says = CASES[case]
    check(Tuned, parts, test, says)


# --- files ------------------------------------------------------------------------------------------------------


def names_no_field(config, generator, arrays):
    try:
        return manifold.load(config, generator, arrays)
    except ArrayError as error:
        raise ArrayError(str(error)) from None


def takes_nan(config, generator, arrays):
    return manifold.load(config, generator, {**arrays, "baseline": np.nan_to_num(arrays["baseline"])})


def keeps_the_callers_arrays(config, generator, arrays):
    return manifold.load(config, generator, arrays)._replace(loadings=arrays["loadings"])


@pytest.mark.parametrize(
    ("load", "test"),
    [
        (names_no_field, "test_errors_name_the_invalid_array"),
        (takes_nan, "test_errors_name_the_invalid_array"),
        (keeps_the_callers_arrays, "test_load_draws_the_same_individual_from_the_same_generator"),
    ],
)
def test_a_population_that_reads_its_file_carelessly_fails(load, test):
    check(OfAFile, {"load": load}, test)


# --- learning ---------------------------------------------------------------------------------------------------

PLASTIC = RNN.plastic


def half_the_gradient(plan, parameters, trace, t, gradient, ahead):
    return PLASTIC.backward(plan, parameters, trace, t, 0.5 * gradient, ahead)


def gradient_without_the_past(plan, parameters, trace, t, gradient, ahead):
    return PLASTIC.backward(plan, parameters, trace, t, gradient, None)


def gather_without_bias(plan, parameters, trace, pushed, fields):
    found = PLASTIC.parameter_gradient(plan, parameters, trace, pushed, fields)
    return {name: 0 * value if name == "b" else value for name, value in found.items()}


def blind(plan, parameters, trace, first, pushed):
    return 0 * PLASTIC.feedback_gradient(plan, parameters, trace, first, pushed)


def eligibility_of_the_first_trial(plan, parameters, trace, amounts, fields):
    return PLASTIC.eligibility(plan, parameters, trace, amounts * (np.arange(amounts.shape[-1]) == 0), fields)


LEARNING: dict[str, tuple[dict[str, Any], str]] = {
    "half the gradient": (
        {"backward": half_the_gradient},
        "test_gradient_by_parameters_equals_central_differences",
    ),
    "without the past": (
        {"backward": gradient_without_the_past},
        "test_gradient_by_parameters_equals_central_differences",
    ),
    "without bias": (
        {"parameter_gradient": gather_without_bias},
        "test_gradient_by_parameters_equals_central_differences",
    ),
    "blind": ({"feedback_gradient": blind}, "test_gradient_by_displayed_cursors_equals_central_differences"),
    "one trial": ({"eligibility": eligibility_of_the_first_trial}, "test_eligibility_is_a_sum_over_trials"),
    "an unknown part": (
        {"fields": {**PLASTIC.fields, "motor": "V"}},
        "test_plastic_fields_are_fields_of_the_parameters",
    ),
    "a field that is not there": ({"fields": {"input": "Z"}}, "test_plastic_fields_are_fields_of_the_parameters"),
    "drawn at every tick": (
        {"at_start": ("initial", "noise")},
        "test_streams_at_start_are_read_in_the_first_tick_only",
    ),
}


@pytest.mark.parametrize("case", LEARNING)
def test_a_broken_learning_population_fails(case):
    parts, test = LEARNING[case]
    check(Network, {"plastic": PLASTIC._replace(**parts)}, test)


def test_a_population_with_another_lag_fails():
    check(Network, {"lag": lambda plan: plan.delay + 1}, "test_a_displayed_cursor_has_its_effect_after_the_lag")


def test_a_population_that_cannot_be_driven_by_hand_fails():
    def manual(plan, parameters):
        plan, V = RNN.manual(plan, parameters)
        return plan, V.T

    check(Network, {"manual": manual}, "test_manual_control_is_another_plan_and_a_map_of_counts")
