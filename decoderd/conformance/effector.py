"""The contract of effectors."""

from __future__ import annotations

from typing import Any

import numpy as np

from decoderd.arrays import Array
from decoderd.conformance.checks import ROUNDING, finite, pure, same, storable
from decoderd.conformance.component import TIMING, ComponentContract, sample
from decoderd.state import POSITION, Command, still


class EffectorContract(ComponentContract):
    """Nothing to override where the configuration has defaults."""

    family = "effectors"

    def moved(self, commands: list[Command], batch: int) -> list[Array]:
        """The cursors after each command, from rest at the centre."""
        plan = self.component.plan(self.config(), TIMING)
        state = self.component.init(plan, batch)
        cursors = []
        for command in commands:
            state = self.component.step(plan, state, command)
            cursors.append(self.component.cursor(plan, state))
        return cursors

    def commands(self, batch: int) -> list[Command]:
        """Made-up commands, with and without corrections."""
        draw = sample(6)
        return [
            Command(draw.normal(0, 0.1, (batch, 2)), draw.normal(0, 0.01, (batch, 2)) if tick % 3 == 0 else None)
            for tick in range(12)
        ]

    def test_begins_at_rest_in_the_centre(self) -> None:
        plan = pure(self.component.plan, self.config(), TIMING)
        state = pure(self.component.init, plan, 3)
        same(self.component.cursor(plan, state), np.zeros((3, 4)), ROUNDING)
        for cursor in self.moved([still(3)] * 5, 3):
            same(cursor, np.zeros((3, 4)), ROUNDING)

    def test_step_is_pure(self) -> None:
        plan = self.component.plan(self.config(), TIMING)
        state: Any = self.component.init(plan, 2)
        for command in self.commands(2):
            state = pure(self.component.step, plan, state, command)
            storable(state)
            pure(self.component.cursor, plan, state)

    def test_cursors_have_shape_and_finite_numbers(self) -> None:
        for cursor in self.moved(self.commands(3), 3):
            assert cursor.shape == (3, 4)
            assert cursor.dtype == np.float64
            finite(cursor)

    def test_moves_the_way_it_is_told(self) -> None:
        way = np.array([[0.05, 0.0], [-0.03, 0.02], [0.0, -0.05]])
        end = self.moved([Command(way, None)] * 50, 3)[-1]
        assert ((end[:, POSITION] * way).sum(axis=1) > 0).all()

    def test_a_batch_is_its_rows(self) -> None:
        commands = self.commands(3)
        together = self.moved(commands, 3)
        for b in range(3):
            own = [Command(v[b : b + 1], None if c is None else c[b : b + 1]) for v, c in commands]
            for cursors, cursor in zip(together, self.moved(own, 1), strict=True):
                same(cursors[b : b + 1], cursor, ROUNDING, f"cursor {b}")
