"""Conformance tests of population kinds: the contract of `decoderd.populations.contract`."""

from __future__ import annotations

from contextlib import suppress
from typing import Any, NamedTuple

import numpy as np
import pytest
from numpy.typing import NDArray

from decoderd import rows
from decoderd.arrays import Array
from decoderd.conformance.checks import ROUNDING, finite, pure, restored, same, snapshot, storable
from decoderd.conformance.component import TIMING, sample, valid_streams
from decoderd.conformance.plastic import PlasticContract
from decoderd.errors import ArrayError, NumericalError, Refused
from decoderd.populations import COUNTS
from decoderd.rng import Draws, generator, open_streams
from decoderd.state import POSITION, Cue, TimeIndex
from decoderd.tasks.trial import REACH
from decoderd.wire.inputs import Intent

TICKS = 4 * TIMING.bin_ticks


class Ticks(NamedTuple):
    """Rates, counts and intended velocities of a run."""

    rates: Array  # (ticks, B, N)
    counts: NDArray[Any]  # (ticks, B, N)
    intents: Array  # (ticks, B, 2)


class PopulationContract(PlasticContract):
    """Tests of a population kind. Override `example` for a kind that reads a file.

    Kinds that learn keep the contract of `PlasticContract` as well.
    """

    family = "populations"

    def example(self) -> dict[str, NDArray[Any]]:
        """The arrays of a small file; {} for a kind that draws its individuals."""
        return {}

    # --- helpers ------------------------------------------------------------------------------------------------

    def loaded(self) -> Any:
        """The parameters of the example."""
        return self.component.load(self.config(), generator(1, "contract"), self.example())

    def individuals(self, number: int) -> list[Any]:
        """The parameters of some individuals, which are drawn with other seeds where there is no file."""
        found: list[Any] = []
        for seed in range(1, 100):
            with suppress(NumericalError):  # a network that could not be run
                found.append(self.component.load(self.config(), generator(seed, "contract"), self.example()))
            if len(found) == number:
                return found
        pytest.fail("of a hundred individuals too few could be run")

    def cue(self, batch: int, goal: bool = True) -> Cue:
        """A cue with a target to the upper right, or without a target."""
        place = np.repeat([[0.05, 0.03]], batch, axis=0)
        return Cue(place if goal else None, 0.01, REACH, 0, 1, None, ())

    def run(self, seeds: tuple[int, ...], parameters: Any, goal: bool = True, again: bool = False) -> Ticks:
        """Run some bins with a cursor that moves as intended; `again`: restore a checkpoint in each tick."""
        plan = self.component.plan(self.config(), TIMING)
        streams = open_streams(seeds, "contract", self.component.streams(plan, parameters))
        cursor = np.zeros((len(seeds), 4))
        state = self.component.init(plan, parameters, cursor)
        columns: tuple[list[Any], ...] = ([], [], [])
        for tick in range(TICKS):
            if again:
                state, parameters = restored(state), restored(parameters)
            draws = Draws(streams, 1, tick)
            time = TimeIndex(tick, 1, tick, tick % TIMING.bin_ticks)
            cue = self.cue(len(seeds), goal)
            state, rates, intent = self.component.rates(plan, parameters, state, cue, cursor, time, draws)
            state, spikes = self.component.spikes(plan, parameters, state, rates, draws)
            counts = spikes[COUNTS]
            cursor = np.hstack([cursor[:, POSITION] + intent * TIMING.tick_s, intent])
            for column, value in zip(columns, (rates, counts, intent), strict=True):
                column.append(value)
        return Ticks(*map(np.array, columns))

    # --- individuals --------------------------------------------------------------------------------------------

    def test_load_draws_the_same_individual_from_the_same_generator(self) -> None:
        arrays, config = self.example(), self.config()
        before = snapshot(arrays)
        one, other = (self.component.load(config, generator(1, "contract"), arrays) for _ in range(2))
        same(one, other, where="parameters")
        same(before, arrays, where="arrays, after load")
        kept = snapshot(one)
        for array in arrays.values():
            array[...] = 7
        same(kept, one, where="parameters, after the caller changed its arrays")
        storable(one, "parameters", mappings=True)
        assert isinstance(self.component.units(one), int)
        assert self.component.units(one) >= 1

    def test_errors_name_the_invalid_array(self) -> None:
        for name, array in self.example().items():
            invalid = np.array(array, dtype=np.float64)
            invalid.flat[-1] = np.nan
            for wrong in (array[np.newaxis], invalid, np.full(array.shape, "x")):
                with pytest.raises(ArrayError, match=name) as caught:
                    self.component.load(self.config(), generator(1, "x"), {**self.example(), name: wrong})
                assert caught.value.field == name

    def test_overnight_is_reproducible_and_keeps_the_units(self) -> None:
        config, parameters = self.config(), self.loaded()
        before = snapshot(parameters)
        one, other = (self.component.overnight(config, parameters, generator(1, "night", 3)) for _ in range(2))
        same(one, other, where="parameters of the next day")
        same(before, parameters, where="parameters, after overnight")
        assert type(one) is type(parameters)
        assert self.component.units(one) == self.component.units(parameters)

    def test_a_population_that_knows_its_decoder_has_the_same_units(self) -> None:
        if self.component.with_decoder is None:
            pytest.skip("this kind does not use the decoder")
        config, parameters = self.config(), self.loaded()
        n = self.component.units(parameters)
        weights = sample(9).normal(0, 0.01, (2, n))
        one, other = (pure(self.component.with_decoder, config, parameters, weights) for _ in range(2))
        same(one, other, where="parameters, with the decoder")
        storable(one, "parameters", mappings=True)
        assert type(one) is type(parameters)
        assert self.component.units(one) == n

    def test_intents_from_outside_drive_a_population_whose_subject_is_external(self) -> None:
        if self.component.take is None:
            pytest.skip("this kind takes no intents")
        config, parameters, given = self.config(), self.loaded(), Intent(velocity=(0.08, -0.06))
        own = self.component.init(self.component.plan(config, TIMING), parameters, np.zeros((2, 4)))
        with pytest.raises(Refused, match="external"):
            self.component.take(own, given)
        quiet = config.subject.model_copy(update={"intent": "external", "motor_noise_m_s": 0.0})
        plan = self.component.plan(config.model_copy(update={"subject": quiet}), TIMING)
        streams = open_streams((1, 2), "contract", self.component.streams(plan, parameters))
        state, intents = self.component.init(plan, parameters, np.zeros((2, 4))), []
        for tick in range(4):
            if tick == 2:
                state = pure(self.component.take, state, given)
                storable(state)
            time, draws = TimeIndex(tick, 1, tick, tick), Draws(streams, 1, tick)
            state, rates, intent = self.component.rates(
                plan, parameters, state, self.cue(2), np.zeros((2, 4)), time, draws
            )
            state, _ = self.component.spikes(plan, parameters, state, rates, draws)
            intents.append(intent)
        same(np.array(intents), np.array([[[0.0, 0.0]] * 2] * 2 + [[[0.08, -0.06]] * 2] * 2), ROUNDING, "intents")

    # --- ticks --------------------------------------------------------------------------------------------------

    @pytest.mark.parametrize("goal", [True, False])
    def test_rates_and_counts_have_shapes_and_finite_numbers(self, goal: bool) -> None:
        parameters = self.loaded()
        rates, counts, intents = self.run((1, 2, 3), parameters, goal)
        n = self.component.units(parameters)
        assert rates.shape == counts.shape == (TICKS, 3, n)
        assert intents.shape == (TICKS, 3, 2)
        finite((rates, intents))
        if not self.component.signed:
            assert (rates >= 0).all()
            assert (counts >= 0).all()
        expected = self.component.drawn and counts.dtype == np.float64  # expected counts instead of drawn ones
        if self.component.drawn and not expected:
            assert counts.dtype.kind == "u"
        assert expected or (counts == np.floor(counts)).all()

    def test_the_channel_counts_comes_first(self) -> None:
        assert self.component.channels[0] == COUNTS
        assert len(set(self.component.channels)) == len(self.component.channels)

    def test_streams_are_valid(self) -> None:
        parameters = self.loaded()
        plan = self.component.plan(self.config(), TIMING)
        valid_streams(pure(self.component.streams, plan, parameters))

    def test_steps_are_pure(self) -> None:
        parameters, config = self.loaded(), self.config()
        plan = pure(self.component.plan, config, TIMING)
        streams = open_streams((1, 2), "contract", self.component.streams(plan, parameters))
        cursor = np.zeros((2, 4))
        state = pure(self.component.init, plan, parameters, cursor)
        for tick in range(2 * TIMING.bin_ticks):
            time, draws = TimeIndex(tick, 1, tick, tick % TIMING.bin_ticks), Draws(streams, 1, tick)
            seen = cursor + 0.001 * tick
            state, rates, _ = pure(
                self.component.rates, plan, parameters, state, self.cue(2, tick > 3), seen, time, draws
            )
            storable(state)
            state, spikes = pure(self.component.spikes, plan, parameters, state, rates, draws)
            storable(state)
            assert tuple(spikes) == self.component.channels, "channels: those of the kind, in its order"
            for channel, counts in spikes.items():
                assert counts.shape == rates.shape, channel
                finite(counts)

    def test_a_restored_population_continues_with_the_same_bits(self) -> None:
        parameters = self.loaded()
        same(self.run((1,), parameters), self.run((1,), parameters, again=True))

    def test_a_batch_equals_each_seed_alone(self) -> None:
        parameters = self.loaded()
        together = self.run((1, 2, 3), parameters)
        for b, seed in enumerate((1, 2, 3)):
            alone = self.run((seed,), parameters)
            same(together.rates[:, b : b + 1], alone.rates, 1e-10, f"rates {b}")
            same(together.intents[:, b : b + 1], alone.intents, 1e-10, f"intents {b}")
            whole = alone.counts.dtype.kind != "f"
            same(together.counts[:, b : b + 1], alone.counts, 0.0 if whole else 1e-10, f"counts {b}")

    @pytest.mark.parametrize("goal", [True, False])
    @pytest.mark.parametrize("first", [0, 2])
    def test_successive_ticks_of_a_bin_are_those_one_by_one(self, goal: bool, first: int) -> None:
        if self.component.successive is None:
            pytest.skip("its ticks are computed one by one")
        parameters = self.loaded()
        plan = self.component.plan(self.config(), TIMING)
        streams = open_streams((1,), "contract", self.component.streams(plan, parameters))
        cursors = np.linspace(0.0, 0.06, 4 * TICKS).reshape(TICKS, 4)
        state, cue, states, singly = self.component.init(plan, parameters, cursors[:1]), self.cue(1, goal), [], []
        for tick in range(TICKS):
            states.append(state)
            time, draws = TimeIndex(tick, 1, tick, tick % TIMING.bin_ticks), Draws(streams, 1, tick)
            state, rates, intent = self.component.rates(
                plan, parameters, state, cue, cursors[tick : tick + 1], time, draws
            )
            state, spikes = self.component.spikes(plan, parameters, state, rates, draws)
            singly.append((rates, intent, spikes))
        states.append(state)
        begin, end = TIMING.bin_ticks + first, 2 * TIMING.bin_ticks
        time, draws = TimeIndex(begin, 1, begin, first), Draws(streams, 1, begin)
        after, rates, intents, counts = pure(
            self.component.successive, plan, parameters, states[begin], cue, cursors[begin:end], time, draws
        )
        same(list(after), states[begin + 1 : end + 1], 0.0, "states")
        for k, (rate, intent, spikes) in enumerate(singly[begin:end]):
            same(rates[k : k + 1], rate, 0.0, f"rates {k}")
            same(intents[k : k + 1], intent, 0.0, f"intents {k}")
            same({name: array[k : k + 1] for name, array in counts.items()}, dict(spikes), 0.0, f"counts {k}")

    def test_ticks_of_many_sessions_are_those_of_each(self) -> None:
        """From the second tick on: units may begin with what is drawn in the first. One session has no goal."""
        many, seeds = self.component.side_by_side, (1, 2, 3)
        if many is None:
            pytest.skip("its sessions are computed one by one")
        plan, each = self.component.plan(self.config(), TIMING), self.individuals(len(seeds))
        goal, phase = np.array([[np.nan, np.nan], [0.05, 0.03], [0.0, -0.07]]), np.full(len(seeds), REACH)
        needed = self.component.streams(plan, each[0])
        own = [open_streams((seed,), "contract", needed) for seed in seeds]
        joint = open_streams(seeds, "contract", needed)
        cursors = sample(8).uniform(-0.05, 0.05, (TICKS, len(seeds), 4))
        states = [self.component.init(plan, one, cursors[0, :1]) for one in each]
        parameters, state = rows.stacked([rows.as_row(one) for one in each]), None
        for tick, seen in enumerate(cursors):
            time, alone = TimeIndex(tick, 1, tick, tick % TIMING.bin_ticks), []
            for s, one in enumerate(each):
                draws, cue = Draws(own[s], 1, tick), Cue(goal[s : s + 1] if s else None, 0.01, REACH, 0, 1, None, ())
                states[s], rate, _ = self.component.rates(plan, one, states[s], cue, seen[s : s + 1], time, draws)
                states[s], spikes = self.component.spikes(plan, one, states[s], rate, draws)
                alone.append((rate, dict(spikes), states[s]))
            if state is None:
                state = rows.stacked([many.state(one) for one in states])
                continue
            draws = Draws(joint, 1, tick)
            state, rates = many.rates(plan, parameters, state, goal, phase, seen, time.bin_tick, draws)
            state, counts = many.spikes(plan, parameters, state, rates, draws)
            for s, expected in enumerate(alone):
                found = rates[s : s + 1], {name: array[s : s + 1] for name, array in counts.items()}
                same((*found, many.from_arrays(rows.row(state, s))), expected, 0.0, f"session {s} in tick {tick}")
                if self.component.plastic is not None:
                    keep = self.component.plastic.keep
                    same(many.from_arrays(rows.row(keep(state), s)), keep(expected[2]), 0.0, f"kept of session {s}")

    def test_a_silent_unit_leaves_the_spikes_of_the_others_unchanged(self) -> None:
        parameters = self.loaded()
        plan = self.component.plan(self.config(), TIMING)
        streams = open_streams((1,), "contract", self.component.streams(plan, parameters))
        rates = sample(7).integers(0, 4, (1, self.component.units(parameters))) / TIMING.tick_s
        silenced = rates.copy()
        silenced[:, 0] = 0.0
        state = self.component.init(plan, parameters, np.zeros((1, 4)))
        for tick in range(20):
            draws = Draws(streams, 1, tick)
            counts, fewer = (
                self.component.spikes(plan, parameters, state, r, draws)[1][COUNTS] for r in (rates, silenced)
            )
            assert not fewer[:, 0].any()
            same(counts[:, 1:], fewer[:, 1:], ROUNDING, "counts of the other units")
