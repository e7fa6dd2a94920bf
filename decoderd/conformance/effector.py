"""The contract of effectors."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from decoderd.arrays import Array
from decoderd.conformance.checks import ROUNDING, finite, inner, mapped, moved_along, pure, restored, same, storable
from decoderd.conformance.component import TIMING, ComponentContract, sample
from decoderd.errors import ArrayError
from decoderd.state import POSITION, Command, still

# Central differences of this size agree with an exact derivative to about its square.
SMALL = 1e-6


class EffectorContract(ComponentContract):
    """The tests of an effector. Override `way` where the control vector is not a velocity in the plane."""

    family = "effectors"
    # Starting places, (3, 2) in m, within reach of every effector.
    places = np.array([[0.0, 0.0], [0.01, -0.005], [-0.02, 0.03]])

    def way(self, velocity: Array) -> Array:
        """(B, 2): the direction in which the cursor moves from rest in the centre under the control `velocity`."""
        return velocity

    def plan(self) -> Any:
        """Constants."""
        return self.component.plan(self.config(), TIMING)

    def moved(self, commands: list[Command], places: Array, again: bool = False) -> list[Array]:
        """The cursors after each command, from rest; `again`: restored from a checkpoint each tick."""
        plan = self.plan()
        state = self.component.init(plan, places)
        cursors = []
        for command in commands:
            state = self.component.step(plan, restored(state) if again else state, command)
            cursors.append(self.component.cursor(plan, state))
        return cursors

    def commands(self, batch: int, corrections: bool = True) -> list[Command]:
        """Made-up commands, some with corrections."""
        draw = sample(6)
        jumps = [draw.normal(0, 0.01, (batch, 2)) if corrections and tick % 3 == 0 else None for tick in range(12)]
        return [Command(draw.normal(0, 0.1, (batch, 2)), jump) for jump in jumps]

    def test_starts_at_rest_at_the_given_place(self) -> None:
        plan = pure(self.component.plan, self.config(), TIMING)
        state = pure(self.component.init, plan, self.places)
        expected = np.hstack([self.places, np.zeros((3, 2))])
        same(self.component.cursor(plan, state), expected, ROUNDING)
        for cursor in self.moved([still(3)] * 5, self.places):
            same(cursor, expected, ROUNDING)

    @pytest.mark.parametrize("speed", [0.0, 0.1, 3.0])
    def test_successive_ticks_are_those_one_by_one(self, speed: float) -> None:
        if self.component.successive is None:
            pytest.skip("it is moved tick by tick")
        plan, draw = self.plan(), sample(7)
        for place in self.places:
            state = self.component.init(plan, place[np.newaxis])
            for ticks in (1, 5, 50):  # the last is far enough for an edge
                velocity = draw.normal(0, 1, (1, 2)) * speed
                found = pure(self.component.successive, plan, state, velocity, ticks)
                cursors = self.component.cursor(plan, found)
                assert len(found) == ticks + 1
                for tick in range(ticks + 1):
                    if tick:
                        state = self.component.step(plan, state, Command(velocity, None))
                    same(found[tick : tick + 1], state, 0.0, f"state after {tick} of {ticks} ticks")
                    same(cursors[tick : tick + 1], self.component.cursor(plan, state), 0.0, "cursor")

    def test_refuses_places_that_are_not_finite(self) -> None:
        with pytest.raises(ArrayError, match="place") as caught:
            self.component.init(self.plan(), np.array([[0.0, np.nan]]))
        assert caught.value.field == "place"

    def test_step_is_pure(self) -> None:
        plan = self.plan()
        state: Any = self.component.init(plan, self.places)
        for command in self.commands(3):
            state = pure(self.component.step, plan, state, command)
            storable(state)
            pure(self.component.cursor, plan, state)

    def test_cursors_have_shape_and_finite_numbers(self) -> None:
        for cursor in self.moved(self.commands(3), self.places):
            assert cursor.shape == (3, 4)
            assert cursor.dtype == np.float64
            finite(cursor)

    def test_a_restored_effector_goes_on_the_same(self) -> None:
        commands = self.commands(3)
        expected = self.moved(commands, self.places)
        same(tuple(expected), tuple(self.moved(commands, self.places, again=True)), where="cursors")

    def test_moves_as_commanded(self) -> None:
        commanded = np.array([[0.05, 0.0], [-0.03, 0.02], [0.0, -0.05]])
        end = self.moved([Command(commanded, None)] * 50, np.zeros((3, 2)))[-1]
        assert ((end[:, POSITION] * self.way(commanded)).sum(axis=1) > 0).all()

    def test_corrections_move_the_cursor(self) -> None:
        """By as much as the correction, in the tick of the command."""
        jump = np.array([[0.01, 0.0], [-0.005, 0.01], [0.0, 0.0]])
        cursor = self.moved([Command(np.zeros((3, 2)), jump)], self.places)[-1]
        same(cursor[:, POSITION], self.places + jump, 1e-9, "position")

    def test_a_batch_is_its_rows(self) -> None:
        commands = self.commands(3)
        together = self.moved(commands, self.places)
        for b in range(3):
            own = [Command(v[b : b + 1], None if c is None else c[b : b + 1]) for v, c in commands]
            for cursors, cursor in zip(together, self.moved(own, self.places[b : b + 1]), strict=True):
                same(cursors[b : b + 1], cursor, ROUNDING, f"cursor {b}")

    def test_any_number_of_leading_axes(self) -> None:
        commands = self.commands(6)
        places = np.concatenate([self.places, -self.places])
        folded = [Command(v.reshape(2, 3, 2), None if c is None else c.reshape(2, 3, 2)) for v, c in commands]
        for cursors, expected in zip(
            self.moved(folded, places.reshape(2, 3, 2)), self.moved(commands, places), strict=True
        ):
            same(cursors, expected.reshape(2, 3, 4), ROUNDING)

    def test_adjoints_are_those_of_step_and_cursor(self) -> None:
        """Products of the adjoints with random directions equal central differences along them."""
        if self.component.back is None and self.component.cursor_back is None:
            pytest.skip("this kind has no adjoints")
        draw, plan = sample(7), self.plan()
        state: Any = self.component.init(plan, np.concatenate([self.places, -self.places]).reshape(2, 3, 2))

        def like(tree: Any) -> Any:
            return mapped(lambda array: draw.normal(size=array.shape), tree)

        for v, _ in self.commands(6, corrections=False):
            command = Command(v.reshape(2, 3, 2), None)
            following = self.component.step(plan, state, command)
            gradient, along, push = like(following), like(state), draw.normal(size=command.velocity.shape)
            of_state, of_velocity = pure(self.component.back, plan, state, command, gradient)
            near = [
                self.component.step(
                    plan, moved_along(state, along, e), Command(moved_along(command.velocity, push, e), None)
                )
                for e in (SMALL, -SMALL)
            ]
            expected = (inner(gradient, near[0]) - inner(gradient, near[1])) / (2 * SMALL)
            same(inner(of_state, along) + inner(of_velocity, push), expected, 1e-7, "back")

            gradient = like(self.component.cursor(plan, state))
            of_state = pure(self.component.cursor_back, plan, state, gradient)
            near = [self.component.cursor(plan, moved_along(state, along, e)) for e in (SMALL, -SMALL)]
            expected = (inner(gradient, near[0]) - inner(gradient, near[1])) / (2 * SMALL)
            same(inner(of_state, along), expected, 1e-7, "cursor_back")
            state = following
