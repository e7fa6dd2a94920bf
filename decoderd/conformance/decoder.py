"""The contract of decoders."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from decoderd import rows
from decoderd.conformance.checks import ROUNDING, finite, pure, restored, same, snapshot, storable
from decoderd.conformance.component import ComponentContract, sample
from decoderd.conformance.made_up import another, impossible, recording
from decoderd.decoders import Calibration, files
from decoderd.errors import ArrayError, DecoderdError, NumericalError
from decoderd.state import Command
from decoderd.wire.inputs import Kinematics

Steps = list[tuple[NDArray[Any], Command]]


class DecoderContract(ComponentContract):
    """The tests of a decoder. Override `example` with arrays of a small one, as its file would hold them."""

    family = "decoders"
    optional: tuple[str, ...] = ()  # arrays of the example that `load` can do without
    any_units = 4  # given to a decoder that takes any number of them

    def example(self) -> dict[str, NDArray[Any]]:
        """Arrays for `load`; {} for a kind that has none."""
        return {}

    # --- helpers ------------------------------------------------------------------------------------------------

    def loaded(self) -> Any:
        """Parameters of the example, read as a file is."""
        return self.component.load(files.parse(self.component, self.example()).arrays)

    def counts(self, parameters: Any, batch: int, bins: int = 12) -> NDArray[Any]:
        """Made-up counts (bins, batch, N)."""
        n = self.component.units(parameters) or self.any_units
        return sample(1).poisson(3.0, (bins, batch, n)).astype(np.float64)

    def decode(self, parameters: Any, counts: NDArray[Any], position: NDArray[Any] | None = None) -> Steps:
        """Rows and commands of all bins; `position` (batch, 2) stays the same."""
        state = self.component.init(parameters, counts.shape[1])
        out: Steps = []
        for y in counts:
            state, command = self.component.step(parameters, state, y, position)
            out.append((self.component.row(state), command))
        return out

    def alike(self, one: Any, other: Any, tolerance: float = 1e-9) -> None:
        """Raise AssertionError unless two sets of parameters decode alike."""
        counts = self.counts(one, 2)
        same(tuple(self.decode(one, counts)), tuple(self.decode(other, counts)), tolerance, "decoded")

    def units_or_skip(self, function: str) -> tuple[Any, int]:
        """The example and N, for what an optional function does to units."""
        if getattr(self.component, function) is None:
            pytest.skip(f"this kind has no {function}")
        parameters = self.loaded()
        return parameters, self.component.units(parameters)

    # --- arrays -------------------------------------------------------------------------------------------------

    def test_load_is_pure_and_copies_arrays(self) -> None:
        arrays = self.example()
        parameters = pure(self.component.load, arrays)
        before = snapshot(parameters)
        for array in arrays.values():
            array[...] = 7
        same(before, parameters, where="parameters, after the caller changed its arrays")

    def test_arrays_load_the_same(self) -> None:
        parameters = self.loaded()
        arrays = pure(self.component.arrays, parameters)
        assert set(self.example()) <= set(arrays)
        same(arrays, self.component.arrays(self.component.load(arrays)), where="arrays")
        self.alike(parameters, self.component.load(arrays), ROUNDING)

    def test_memory_order_does_not_matter(self) -> None:
        """A resumed session may find its arrays stored in another order, and has to go on bit for bit."""
        by_columns = self.component.load({name: np.asfortranarray(a) for name, a in self.example().items()})
        everything = [self.loaded(), by_columns]
        if self.component.permute_units is not None:
            order = np.roll(np.arange(self.component.units(by_columns)), 1)
            everything.append(self.component.permute_units(by_columns, order))
        for parameters in everything:
            counts = self.counts(parameters, 1, 40)
            same(tuple(self.decode(parameters, counts)), tuple(self.decode(restored(parameters), counts)))

    def test_missing_arrays_are_named(self) -> None:
        for name in set(self.example()) - set(self.optional):
            arrays = self.example()
            del arrays[name]
            with pytest.raises(ArrayError, match=name) as caught:
                self.component.load(arrays)
            assert caught.value.field == name
        needed = {name: array for name, array in self.example().items() if name not in self.optional}
        self.component.load(needed)

    def test_wrong_shapes_are_named(self) -> None:
        for name, array in self.example().items():
            with pytest.raises(ArrayError, match=name) as caught:
                self.component.load({**self.example(), name: array[np.newaxis, np.newaxis]})
            assert caught.value.field == name

    @pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
    def test_values_that_are_not_finite_are_named(self, bad: float) -> None:
        for name, array in self.example().items():
            spoilt = np.array(array, dtype=np.float64)
            spoilt.flat[-1] = bad
            with pytest.raises(ArrayError, match=name) as caught:
                self.component.load({**self.example(), name: spoilt})
            assert caught.value.field == name

    def test_arrays_of_something_else_are_named(self) -> None:
        for name, array in self.example().items():
            for other in (np.full(array.shape, "x"), np.full(array.shape, 1j), np.full(array.shape, None)):
                with pytest.raises(ArrayError, match=name):
                    self.component.load({**self.example(), name: other})

    def test_empty_arrays_are_refused(self) -> None:
        """With an error of decoderd, not one of NumPy from somewhere inside."""
        for name, array in self.example().items():
            for axis in range(array.ndim):
                empty = np.delete(array, np.s_[:], axis)
                with pytest.raises(DecoderdError):
                    self.component.load({**self.example(), name: empty})

    # --- files --------------------------------------------------------------------------------------------------

    def test_a_file_that_says_everything_is_the_same_decoder(self) -> None:
        found = files.parse(self.component, files.described(self.component, self.example(), 0.05))
        assert (found.bin_s, found.length_unit) == (0.05, "m")
        self.alike(self.loaded(), self.component.load(found.arrays), ROUNDING)

    def test_a_file_in_centimetres_decodes_metres(self) -> None:
        if self.component.layout is None:
            pytest.skip("this kind does not say what the axes of its arrays are")
        in_m = files.parse(self.component, {**self.example(), "length_unit": np.array("cm")})
        if in_m.states is None:
            pytest.skip("the states of the example have no names")
        metres = np.array([1.0 if state == "1" else 0.01 for state in in_m.states])
        given = self.loaded()
        counts = self.counts(given, 2)
        converted = self.decode(self.component.load(in_m.arrays), counts)
        for (row, _), (row_cm, _) in zip(converted, self.decode(given, counts), strict=True):
            same(row, row_cm * metres, 1e-9, "row")

    def test_missing_units(self) -> None:
        """With all units it is the same step; without any, counts have no influence."""
        if self.component.partial is None:
            pytest.skip("this kind cannot decode missing counts")
        parameters = self.loaded()
        n = self.component.units(parameters)
        state = self.component.init(parameters, 2)
        for y in self.counts(parameters, 2, 4):
            whole, _ = self.component.step(parameters, state, y, None)
            all_units = pure(self.component.partial, parameters, np.arange(n))
            same(self.component.row(whole), self.component.row(self.component.step(all_units, state, y, None)[0]), 1e-9)
            for some in (np.arange(n)[1:], np.arange(0)):
                partial = self.component.partial(parameters, some)
                finite(self.component.step(partial, state, y[:, some], None)[0])
            state = whole

    # --- decoding -----------------------------------------------------------------------------------------------

    def test_steps_have_shapes_and_finite_numbers(self) -> None:
        parameters = self.loaded()
        for position in (None, np.full((3, 2), 0.01)):
            for row, command in self.decode(parameters, self.counts(parameters, 3), position):
                assert row.ndim == 2
                assert len(row) == 3
                assert command.velocity.shape == (3, 2)
                assert command.correction is None or command.correction.shape == (3, 2)
                assert position is not None or command.correction is None or row.shape[1] >= 4
                finite((row, command))

    def test_step_is_pure(self) -> None:
        parameters = self.loaded()
        state = pure(self.component.init, parameters, 2)
        for y in self.counts(parameters, 2, 4):
            for position in (None, np.full((2, 2), 0.01)):
                pure(self.component.step, parameters, state, y, position)
            state, _ = self.component.step(parameters, state, y, None)
        pure(self.component.row, state)

    def test_a_restored_decoder_goes_on_the_same(self) -> None:
        """Restored from a checkpoint before every bin, bit for bit: nothing is remembered outside the state."""
        parameters = self.loaded()
        counts = self.counts(parameters, 1)
        expected = self.decode(parameters, counts)
        state = self.component.init(parameters, 1)
        for y, (row, command) in zip(counts, expected, strict=True):
            state, found = self.component.step(restored(parameters), restored(state), y, None)
            same((row, command), (self.component.row(state), found), where="after a checkpoint")

    def test_a_batch_is_its_rows(self) -> None:
        parameters = self.loaded()
        counts, position = self.counts(parameters, 3), sample(2).normal(0, 0.05, (3, 2))
        for where in (None, position):
            together = self.decode(parameters, counts, where)
            for b in range(3):
                alone = self.decode(parameters, counts[:, b : b + 1], None if where is None else where[b : b + 1])
                for (row, command), (row_b, command_b) in zip(together, alone, strict=True):
                    same(row[b : b + 1], row_b, ROUNDING, f"row {b}")
                    same(command.velocity[b : b + 1], command_b.velocity, ROUNDING, f"velocity {b}")
                    if command.correction is not None:
                        same(command.correction[b : b + 1], command_b.correction, ROUNDING, f"correction {b}")

    def test_bins_of_many_sessions_are_those_of_each(self) -> None:
        """To the bit, of sessions with decoders of their own, one of which begins anew in between."""
        many = self.component.side_by_side
        if many is None:
            pytest.skip("its sessions are computed one by one")
        each = self.individuals()
        parameters = rows.stacked([many.parameters(one) for one in each])
        states = [self.component.init(one, 1) for one in each]
        state = rows.stacked([many.state(one) for one in states])
        for t, y in enumerate(self.counts(each[0], len(each), 60)):
            position = np.full((len(each), 2), 0.001 * t)
            if t == 40:
                states[1] = self.component.init(each[1], 1)
                rows.put(state, 1, many.state(states[1]))
            state, command = pure(many.step, parameters, state, y, position)
            for s, one in enumerate(each):
                states[s], alone = self.component.step(one, states[s], y[s : s + 1], position[s : s + 1])
                found = many.from_arrays(rows.row(state, s)), command.velocity[s : s + 1], command.correction
                same(found, (states[s], alone.velocity, alone.correction), 0.0, f"session {s} in bin {t}")

    def individuals(self) -> list[Any]:
        """The example twice, and what a rotation and a permutation of its units make of it, if there are such."""
        one, (rotate, permute) = self.loaded(), (self.component.rotate, self.component.permute_units)
        units = np.arange(self.component.units(one) or 0)
        turned = [] if rotate is None else [rotate(one, 0.7, units[::2])]
        return [one, one, *turned, *([] if permute is None else [permute(one, units[::-1])])]

    def test_state_and_parameters_can_be_stored(self) -> None:
        parameters = self.loaded()
        storable(parameters, "parameters", mappings=True)
        state = self.component.init(parameters, 1)
        storable(state)
        storable(self.component.step(parameters, state, self.counts(parameters, 1)[0], None)[0])

    def test_start(self) -> None:
        parameters = self.loaded()
        state = self.component.init(parameters, 2)
        n = self.component.row(state).shape[1]
        first = 0.01 * np.arange(1, n + 1)
        begun = pure(self.component.start, parameters, state, first)
        same(self.component.row(begun), np.stack([first, first]))
        storable(begun)
        for wrong in (np.zeros(n + 1), np.zeros((2, n)), np.full(n, np.nan), np.full(n, "x")):
            with pytest.raises(ArrayError):
                self.component.start(parameters, state, wrong)

    def test_units(self) -> None:
        n = self.component.units(self.loaded())
        assert n is None or (isinstance(n, int) and n >= 1)

    # --- what readout perturbations do --------------------------------------------------------------------------

    def test_rotate(self) -> None:
        parameters, n = self.units_or_skip("rotate")
        everything, some = np.arange(n), np.arange(n)[::2]
        self.alike(parameters, pure(self.component.rotate, parameters, 0.0, everything))
        self.alike(parameters, self.component.rotate(parameters, 2 * np.pi, everything))
        for units in (everything, some):
            there = pure(self.component.rotate, parameters, 0.7, units)
            with pytest.raises(AssertionError):
                self.alike(parameters, there, 1e-3)
            self.alike(parameters, self.component.rotate(there, -0.7, units))
            storable(there, "parameters", mappings=True)
            self.alike(there, self.component.load(self.component.arrays(there)), ROUNDING)

    def test_permute_units(self) -> None:
        parameters, n = self.units_or_skip("permute_units")
        self._permutes(parameters, self.component.permute_units, n)
        if self.component.rotate is not None:  # a unit brings all that belongs to it, its mean count for one
            order, some, rotate = sample(21).permutation(n), np.arange(n)[::2], self.component.rotate
            permuted = self.component.permute_units(parameters, order)
            self.alike(
                rotate(permuted, 0.7, order[some]),
                self.component.permute_units(rotate(parameters, 0.7, some), order),
            )

    def test_permute_factors(self) -> None:
        parameters, _ = self.units_or_skip("permute_factors")
        q = self.component.factors(parameters)
        assert isinstance(q, int)
        self._permutes(parameters, self.component.permute_factors, q)

    def _permutes(self, parameters: Any, permute: Any, size: int) -> None:
        """Order [..] means "take number order[i] for number i"; of two, the second permutes what the first selects."""
        one, two = sample(3).permutation(size), sample(4).permutation(size)
        self.alike(parameters, pure(permute, parameters, np.arange(size)))
        there = pure(permute, parameters, one)
        self.alike(parameters, permute(there, np.argsort(one)))
        self.alike(permute(there, two), permute(parameters, two[one]))
        self.alike(there, self.component.load(self.component.arrays(there)), ROUNDING)

    # --- what an updater changes --------------------------------------------------------------------------------

    def test_observation_model(self) -> None:
        """The observation model fits what the decoder observes, and can be replaced by another and put back."""
        observing = self.component.observing
        if observing is None:
            pytest.skip("this kind has no observation model")
        parameters = self.loaded()
        try:
            model = pure(observing.model, parameters)
        except ArrayError:
            pytest.skip("the example has no observation model")
        counts, kinematics = self.counts(parameters, 5, 1)[0], sample(6).normal(0, 0.1, (2, 5, 2))
        x, y = pure(observing.rows, parameters, counts, *kinematics)
        coefficients = model[0]  # C or beta
        assert y.shape == (5, len(coefficients))
        assert x.shape == (5, coefficients.shape[1])
        other = another(model)
        there = pure(observing.replace, parameters, other)
        same(other, observing.model(there), where="model")
        with pytest.raises(AssertionError):
            self.alike(parameters, there, 1e-3)
        same(self.component.arrays(parameters), self.component.arrays(observing.replace(there, model)), where="back")
        with pytest.raises((ArrayError, NumericalError)):
            observing.replace(parameters, impossible(model))

    def test_reduced_reads_some_units_in_their_order(self) -> None:
        """All units in another order give the same decoder; of fewer, the others have no influence."""
        if self.component.reduced is None:
            pytest.skip("this kind reads all of its units")
        parameters = self.loaded()
        n = self.component.units(parameters)
        order = sample(14).permutation(n)
        whole = pure(self.component.reduced, parameters, order)
        fewer = self.component.reduced(parameters, order[:2])
        assert self.component.units(fewer) == 2
        states = [self.component.init(each, 3) for each in (parameters, whole)]
        for y in self.counts(parameters, 3):
            _, command = self.component.step(parameters, states[0], y, None)
            _, same_command = self.component.step(whole, states[1], y[:, order], None)
            same(command.velocity, same_command.velocity, ROUNDING, "velocity")
        again = self.component.reduced(whole, np.arange(2))
        self.alike(fewer, again, ROUNDING)

    # --- what plasticity needs -------------------------------------------------------------------------------------

    def test_linear_is_the_next_step_where_the_cursor_is_seen(self) -> None:
        if self.component.linear is None:
            pytest.skip("this kind has no linear step")
        parameters = self.loaded()
        draw = sample(12)
        state = self.component.init(parameters, 3)
        for y in self.counts(parameters, 3):
            position = draw.normal(0, 0.05, (3, 2))
            F, G, K, c, H = pure(self.component.linear, parameters, state)
            before = self.component.row(state)
            state, command = self.component.step(parameters, state, y, position)
            x = before @ F.T + y @ K.T + c + (0 if G is None else position @ G.T)
            same(self.component.row(state), x, ROUNDING, "row")
            same(command.velocity, x @ H.T, ROUNDING, "velocity")

    # --- fitting, and kinematics from outside -------------------------------------------------------------------

    def test_fit_decodes_what_it_was_fitted_to(self) -> None:
        if self.component.fit is None:
            pytest.skip("this kind cannot be fitted")
        recorded = recording()
        arrays = pure(self.component.fit, recorded, Calibration(factors=3), self.config())
        parameters = self.component.load(arrays)
        assert self.component.units(parameters) in (None, recorded.counts.shape[1])
        steps = self.decode(parameters, recorded.counts[:, np.newaxis])
        decoded = np.concatenate([command.velocity for _, command in steps])
        for axis in range(2):
            assert np.corrcoef(decoded[:, axis], recorded.velocity[:, axis])[0, 1] > 0.6

    def test_kinematics_from_outside(self) -> None:
        if self.component.take is None:
            pytest.skip("this kind decodes for itself")
        parameters = self.loaded()
        state = pure(self.component.take, self.component.init(parameters, 1), Kinematics(velocity=(0.1, -0.2)))
        storable(state)
        _, command = self.component.step(parameters, state, self.counts(parameters, 1)[0], np.zeros((1, 2)))
        same(command.velocity, np.array([[0.1, -0.2]]))
