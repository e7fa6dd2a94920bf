"""Conformance tests of populations that can learn; skipped where `plastic` is None."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, get_args

import numpy as np
import pytest

from decoderd.arrays import Array
from decoderd.conformance.checks import finite, pure, same
from decoderd.conformance.component import TIMING, ComponentContract, sample
from decoderd.plasticity.contract import Part
from decoderd.state import REACH, Cue, Reaches, TimeIndex

# Ticks and trials of the examples; step of central differences, and relative errors allowed.
TICKS = 12
TRIALS = 3
SMALL = 1e-6
DIFFERENCES = 1e-6
SUMS = 1e-9


class Rows(NamedTuple):
    """Random rows of one tick, with the interface of `rng.Draws`; records the streams that were read."""

    tables: Mapping[str, Array]  # (T, ..., B, width)
    t: int
    read: set[str]

    def row(self, name: str) -> Array:
        """The row (..., B, width) of stream `name`."""
        self.read.add(name)
        return self.tables[name][self.t]


class Trials(NamedTuple):
    """Trials with given cursors, which do not depend on the population."""

    start: Array  # (..., B, 2)
    goal: Array  # (..., B, 2)
    shown: Array  # (T, ..., B, 4) cursors
    tables: Mapping[str, Array]

    def of(self, place: Any) -> Trials:
        """The trials at index `place` of the axes in front of the last."""
        tables = {name: table[:, *place] for name, table in self.tables.items()}
        return Trials(self.start[place], self.goal[place], self.shown[:, *place], tables)


class Results(NamedTuple):
    """Rates, trace and states of a population in such trials."""

    rates: Array  # (T, ..., B, N)
    trace: Any
    read: list[set[str]]  # streams that were read, by tick
    states: list[Any]  # after each tick's rates


class PlasticContract(ComponentContract):
    """Tests of the functions that learning needs. Gradients are of rates, so counts are not used.

    Override `last_tick_counts` for a kind whose eligibility includes the last tick, and `free` for a kind with
    parameters that never change.
    """

    last_tick_counts = False

    def loaded(self) -> Any:
        """The parameters of the example."""
        raise NotImplementedError

    # --- helpers ------------------------------------------------------------------------------------------------

    def free(self, name: str, parameters: Any) -> Array:
        """1 for the entries of a plastic field that learning may change, 0 for the others."""
        return np.ones_like(getattr(parameters, name))

    def plastic(self) -> Any:
        """The kind's `plastic`; skips the test where it is None."""
        if self.component.plastic is None:
            pytest.skip("this kind does not learn")
        return self.component.plastic

    def planned(self) -> Any:
        """The kind's constants."""
        return self.component.plan(self.config(), TIMING)

    def trials(self, parameters: Any, *lead: int) -> Trials:
        """Random trials (..., B)."""
        draw, shape = sample(13), (*lead, TRIALS)
        tables = {}
        for name, spec in self.component.streams(self.planned(), parameters).items():
            size = (TICKS, *shape, spec.width)
            numbers = draw.random(size) if spec.law == "uniform" else draw.normal(size=size)
            tables[name] = numbers.astype(spec.dtype)
        goal = draw.normal(0, 0.07, (*shape, 2))
        return Trials(draw.normal(0, 0.01, (*shape, 2)), goal, draw.normal(0, 0.03, (TICKS, *shape, 4)), tables)

    def results_of(self, parameters: Any, trials: Trials) -> Results:
        """Run every tick of these trials."""
        plan = self.planned()
        state = self.component.init(plan, parameters, trials.shown[0])
        rates, states, read = [], [], []
        for t in range(TICKS):
            draws: Any = Rows(trials.tables, t, set())
            cue = Cue(trials.goal, 0.01, REACH, 0, 1, None if t else trials.start, ())
            time = TimeIndex(t, 1, t, 0)
            state, fired, _ = self.component.rates(plan, parameters, state, cue, trials.shown[t], time, draws)
            rates.append(fired)
            states.append(state)
            read.append(draws.read)
        plastic = self.plastic()
        trace = plastic.trace(states)
        same(trace, plastic.trace([pure(plastic.keep, state) for state in states]), where="trace")
        return Results(np.stack(rates), trace, read, states)

    def gradient(self, parameters: Any, trace: Any, on_rates: Array) -> tuple[dict[str, Array], Array]:
        """Gradients of sum(on_rates * rates) by plastic field, and by positions as seen (T, ..., B, 2)."""
        plan, plastic = self.planned(), self.plastic()
        ahead: Any = None
        each: list[Array] = []
        for t in reversed(range(TICKS)):
            ahead, by_input = pure(plastic.backward, plan, parameters, trace, t, on_rates[t], ahead)
            each.insert(0, by_input)
        input_gradient = np.stack(each, axis=-3)
        fields = tuple(plastic.fields.values())
        seen = pure(plastic.feedback_gradient, plan, parameters, trace, 0, input_gradient)
        same(
            seen[3:5],
            pure(plastic.feedback_gradient, plan, parameters, trace, 3, input_gradient[..., 3:5, :, :]),
            SUMS,
            "feedback gradient of two ticks alone",
        )
        return pure(plastic.parameter_gradient, plan, parameters, trace, input_gradient, fields), seen

    def eligible(self, parameters: Any, trace: Any, amounts: Array) -> dict[str, Array]:
        """The eligibility of every plastic field."""
        plastic = self.plastic()
        fields = tuple(plastic.fields.values())
        return pure(plastic.eligibility, self.planned(), parameters, trace, amounts, fields)

    # --- tests --------------------------------------------------------------------------------------------------

    def test_plastic_fields_are_fields_of_the_parameters(self) -> None:
        plastic, parameters = self.plastic(), self.loaded()
        assert set(plastic.fields) <= set(get_args(Part))
        assert plastic.fields
        assert set(plastic.fields.values()) <= set(parameters._fields)

    def test_streams_at_start_are_read_in_the_first_tick_only(self) -> None:
        plastic, parameters = self.plastic(), self.loaded()
        first, *others = self.results_of(parameters, self.trials(parameters)).read
        assert set(plastic.at_start) <= first
        assert not any(set(plastic.at_start) & read for read in others)

    def test_a_displayed_cursor_has_its_effect_after_the_lag(self) -> None:
        """The cursor displayed in a tick has its first effect `lag` ticks later; none where there is no lag."""
        self.plastic()
        parameters = self.loaded()
        if self.component.lag is None:
            trials = self.trials(parameters)
            moved = trials._replace(shown=trials.shown + 0.05)
            same(self.results_of(parameters, trials).rates, self.results_of(parameters, moved).rates, where="rates")
            return
        lag = pure(self.component.lag, self.planned())
        assert isinstance(lag, int)
        assert 0 <= lag < TICKS
        trials = self.trials(parameters)
        rates = self.results_of(parameters, trials).rates
        at = TICKS - 1 - lag
        for first, changes in ((at + 1, False), (at, True)):
            shown = trials.shown.copy()
            shown[first:] += 0.05
            again = self.results_of(parameters, trials._replace(shown=shown)).rates
            same(rates[:-1], again[:-1], where=f"rates, the display changed from tick {first} of {TICKS} on")
            assert (rates[-1] != again[-1]).any() == changes

    def test_eligibility_is_a_sum_over_trials(self) -> None:
        self.plastic()
        parameters = self.loaded()
        amounts = sample(14).normal(size=TRIALS)
        trials = self.trials(parameters)
        together = self.eligible(parameters, self.results_of(parameters, trials).trace, amounts)
        expected = {name: np.zeros_like(getattr(parameters, name)) for name in together}
        for k in range(TRIALS):
            alone = self.results_of(parameters, trials.of(np.s_[k : k + 1,])).trace
            for name, each in self.eligible(parameters, alone, np.ones(1)).items():
                expected[name] = expected[name] + amounts[k] * each
        same(expected, together, SUMS, "eligibility")

    def test_eligibility_leaves_out_the_last_tick(self) -> None:
        """Unless `last_tick_counts` is set."""
        self.plastic()
        parameters, ones = self.loaded(), np.ones(TRIALS)
        trials = self.trials(parameters)
        found = self.eligible(parameters, self.results_of(parameters, trials).trace, ones)
        for last, changes in ((TICKS - 1, self.last_tick_counts), (TICKS - 2, True)):
            tables = {name: table.copy() for name, table in trials.tables.items()}
            for table in tables.values():
                table[last] = 1 - table[last]
            again = self.eligible(parameters, self.results_of(parameters, trials._replace(tables=tables)).trace, ones)
            assert any((found[name] != again[name]).any() for name in found) == changes

    def test_gradient_by_parameters_equals_central_differences(self) -> None:
        self.plastic()
        parameters, draw = self.loaded(), sample(15)
        trials = self.trials(parameters)
        results = self.results_of(parameters, trials)
        on_rates = draw.normal(size=results.rates.shape)
        found, _ = self.gradient(parameters, results.trace, on_rates)
        for name, gradient in found.items():
            value = getattr(parameters, name)
            assert gradient.shape == value.shape
            step = draw.normal(size=value.shape) * self.free(name, parameters)
            ahead, behind = (
                self.results_of(parameters._replace(**{name: value + e * step}), trials).rates for e in (SMALL, -SMALL)
            )
            expected = float((on_rates * (ahead - behind)).sum()) / (2 * SMALL)
            same(expected, float((gradient * step).sum()), DIFFERENCES, f"along {name}")

    def test_gradient_by_displayed_cursors_equals_central_differences(self) -> None:
        self.plastic()
        parameters, draw = self.loaded(), sample(16)
        trials = self.trials(parameters)
        lag = TICKS if self.component.lag is None else self.component.lag(self.planned())
        results = self.results_of(parameters, trials)
        on_rates = draw.normal(size=results.rates.shape)
        _, seen = self.gradient(parameters, results.trace, on_rates)
        assert seen.shape == trials.shown[..., :2].shape
        step = draw.normal(size=trials.shown.shape)
        ahead, behind = (
            self.results_of(parameters, trials._replace(shown=trials.shown + e * step)).rates for e in (SMALL, -SMALL)
        )
        expected = float((on_rates * (ahead - behind)).sum()) / (2 * SMALL)
        found = float((seen[lag:] * step[: TICKS - lag, ..., :2]).sum())
        same(expected, found, DIFFERENCES, "along the display")

    def expected_loss(self, parameters: Any, trials: Trials, weights: Array) -> tuple[Array, Any]:
        """Expected loss and its gradient, where weights (T, ..., B, 2, N) times rates are to reach (1, 0)."""
        results = self.results_of(parameters, trials)
        error = np.einsum("t...bin,t...bn->...bi", weights, results.rates) - np.array([1.0, 0.0])
        rows = []
        for axis in (0, 1):
            ahead, input_gradient = None, []
            for t in reversed(range(TICKS)):
                ahead, by_input = self.plastic().backward(
                    self.planned(), parameters, results.trace, t, weights[t][..., axis, :], ahead
                )
                input_gradient.append(by_input)
            rows.append(np.stack(input_gradient[::-1]))
        Z, fields = np.stack(rows, axis=-2), tuple(self.plastic().fields.values())
        found: tuple[Array, Any] = self.plastic().expected_loss(
            self.planned(), parameters, results.trace, Z, error, fields
        )
        return found

    def weights_of_rates(self, parameters: Any) -> Array:
        """Random weights of the rates in every tick, with errors of about 1."""
        shape = (TICKS, TRIALS, 2, self.component.units(parameters))
        return sample(18).normal(size=shape) * TIMING.tick_s / np.sqrt(shape[-1] * TICKS)

    def test_the_expected_loss_is_the_mean_over_noise(self) -> None:
        if self.plastic().expected_loss is None:
            pytest.skip("the expected loss of this kind has no closed form")
        parameters, trials = self.loaded(), self.trials(self.loaded())
        weights = self.weights_of_rates(parameters)
        expected, _ = self.expected_loss(parameters, trials, weights)
        assert expected.shape == (TRIALS,)
        other = {name: table[::-1] for name, table in trials.tables.items()}
        again, _ = self.expected_loss(parameters, trials._replace(tables=other), weights)
        same(expected, again, SUMS, "expected square")
        one, draw = trials.of(np.s_[:1,]), sample(19)
        many = 4000  # trials like the first
        tables = {name: draw.normal(size=(TICKS, many, table.shape[-1])) for name, table in trials.tables.items()}
        start, goal, shown = (np.repeat(field, many, axis=-2) for field in (one.start, one.goal, one.shown))
        alike = Trials(start, goal, shown, tables)
        rates = self.results_of(parameters, alike).rates
        error = np.einsum("tin,tbn->bi", weights[:, 0], rates) - np.array([1.0, 0.0])
        squares = (error**2).sum(axis=-1)
        assert abs(squares.mean() - expected[0]) < 4 * squares.std() / np.sqrt(many)

    def test_the_gradient_of_the_expected_loss_equals_central_differences(self) -> None:
        if self.plastic().expected_loss is None:
            pytest.skip("the expected loss of this kind has no closed form")
        parameters, draw = self.loaded(), sample(20)
        trials, weights, amounts = self.trials(parameters), self.weights_of_rates(parameters), draw.normal(size=TRIALS)
        _, gradient = self.expected_loss(parameters, trials, weights)
        for name, found in gradient(amounts).items():
            value = getattr(parameters, name)
            assert found.shape == value.shape
            step = draw.normal(size=value.shape) * self.free(name, parameters)
            ahead, behind = (
                self.expected_loss(parameters._replace(**{name: value + e * step}), trials, weights)[0]
                for e in (SMALL, -SMALL)
            )
            expected = float(amounts @ (ahead - behind)) / (2 * SMALL)
            same(expected, float((found * step).sum()), DIFFERENCES, f"along {name}")

    def test_the_example_is_not_rejected(self) -> None:
        if self.plastic().reject is None:
            pytest.skip("this kind rejects no parameters")
        assert pure(self.plastic().reject, self.loaded()) == ""

    def test_a_batch_of_individuals_equals_each_individual_alone(self) -> None:
        """Parameters and trials with an axis of seeds in front."""
        self.plastic()
        one, draw = self.loaded(), sample(17)
        individuals = [one, type(one)(*(field * 1.1 for field in one))]
        several = type(one)(*(np.stack(field) for field in zip(*individuals, strict=True)))
        trials = self.trials(one, len(individuals))
        results = self.results_of(several, trials)
        on_rates, amounts = draw.normal(size=results.rates.shape), draw.normal(size=(len(individuals), TRIALS))
        gradient, seen = self.gradient(several, results.trace, on_rates)
        eligible = self.eligible(several, results.trace, amounts)
        for seed, alone in enumerate(individuals):
            its = self.results_of(alone, trials.of((seed,)))
            same(results.rates[:, seed], its.rates, SUMS, f"rates of individual {seed}")
            by_parameters, by_position = self.gradient(alone, its.trace, on_rates[:, seed])
            same(seen[:, seed], by_position, SUMS, f"display of individual {seed}")
            for name, expected in by_parameters.items():
                same(gradient[name][seed], expected, SUMS, f"{name} of individual {seed}")
            for name, expected in self.eligible(alone, its.trace, amounts[seed]).items():
                same(eligible[name][seed], expected, SUMS, f"eligibility of individual {seed}")

    def test_a_rollout_equals_its_ticks_one_by_one(self) -> None:
        """Counts and eligibilities of several individuals at once."""
        plastic, one = self.plastic(), self.loaded()
        if plastic.rollout is None:
            pytest.skip("this kind has no rollout of its own")
        several = type(one)(*(np.stack([field, 1.1 * field]) for field in one))
        trials = self.trials(one, 2)
        trials.shown[0, ..., :2] = trials.start  # the first cursor is the start
        results = self.results_of(several, trials)
        tables = {name: rows[:1] if name in plastic.at_start else rows for name, rows in trials.tables.items()}
        cursors = np.concatenate([trials.shown, np.full_like(trials.shown[:1], np.nan)])
        reaches = Reaches(trials.start, trials.goal, TICKS, 0)
        plan = self.planned()
        batch_rollout = plastic.rollout(plan, several, reaches, tables)
        for t in range(TICKS):
            draws: Any = Rows(trials.tables, t, set())
            _, expected = self.component.spikes(plan, several, results.states[t], results.rates[t], draws)
            same(expected, batch_rollout.spikes(t, cursors), SUMS, f"counts of tick {t}")
        amounts = sample(18).normal(size=(2, TRIALS))
        for name, eligibility in self.eligible(several, results.trace, amounts).items():
            same(
                eligibility, self.eligible(several, batch_rollout.trace(), amounts)[name], SUMS, f"eligibility, {name}"
            )

    def test_manual_control_is_another_plan_and_a_map_of_counts(self) -> None:
        """Manual control: constants of the same type, and a map (2, N) from counts to an arm's control."""
        if self.component.manual is None:
            pytest.skip("this kind has no manual control")
        parameters = self.loaded()
        plan, V = pure(self.component.manual, self.planned(), parameters)
        assert type(plan) is type(self.planned())
        assert V.shape == (2, self.component.units(parameters))
        finite(V)
        assert V.any()
