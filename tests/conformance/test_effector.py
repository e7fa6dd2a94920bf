"""The contract of effectors fails for effectors that are broken on purpose."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pytest

from decoderd.conformance import EffectorContract
from decoderd.effectors import cursor as module
from decoderd.effectors import point_mass
from decoderd.effectors.cursor import CURSOR
from decoderd.effectors.point_mass import POINT_MASS
from decoderd.errors import ArrayError
from decoderd.state import POSITION, VELOCITY
from tests.conformance.breaking import check, failures


class Cursor(EffectorContract):
    """The cursor that comes with decoderd."""

    component = CURSOR


class PointMass(EffectorContract):
    """An effector that goes on moving without a command: what it forgets shows."""

    component = POINT_MASS


class Unnamed(NamedTuple):
    """A state without a stored name."""

    cursor: Any


UNNAMED_STATE = {
    "init": lambda plan, place: Unnamed(module.init(plan, place)),
    "step": lambda plan, state, command: Unnamed(module.step(plan, state.cursor, command)),
    "cursor": lambda plan, state: state.cursor,
    "back": None,
    "cursor_back": None,
}


def writes_into_its_state(plan, state, command):
    state[..., POSITION] += 0.001
    return module.step(plan, state, command)


def draws_from_the_global_generator(plan, state, command):
    return module.step(plan, state, command) + 1e-6 * np.random.normal(size=state.shape)  # noqa: NPY002


def depends_on_the_batch(plan, state, command):
    return module.step(plan, state - state.mean(axis=0) * 1e-3, command)


def has_one_axis_in_front(plan, state, command):
    moved = module.step(plan, state, command)
    return moved if state.ndim == 2 else np.broadcast_to(moved.reshape(-1, 4)[0], moved.shape).copy()


def moves_backwards(plan, state, command):
    return module.step(plan, state, command._replace(velocity=-command.velocity))


def is_lost(plan, state, command):
    return np.full_like(state, np.nan)


def drifts(plan, state, command):
    moved = module.step(plan, state, command)
    moved[..., POSITION] += 1e-6
    return moved


def starts_in_the_centre(plan, place):
    return module.init(plan, np.zeros_like(place))


def starts_anywhere(plan, place):
    return module.init(plan, np.nan_to_num(place))


def names_no_field(plan, place):
    try:
        return module.init(plan, place)
    except ArrayError as error:
        raise ArrayError(str(error)) from None


def in_single_precision(plan, state):
    return state.astype(np.float32)


def half_the_gradient(plan, state, command, gradient):
    of_state, of_velocity = module.back(plan, state, command, gradient)
    return of_state, 0.5 * of_velocity


def without_velocity(plan, state, gradient):
    seen = gradient.copy()
    seen[..., VELOCITY] = 0
    return seen


def without_the_present(plan, state, velocity, ticks):
    return module.successive(plan, state, velocity, ticks)[1:]


def passes_the_edge(plan, state, velocity, ticks):
    return module.successive(plan._replace(low=plan.low - 1, high=plan.high + 1), state, velocity, ticks)


def in_another_order(plan, state, velocity, ticks):
    """The place after so many ticks, by one product: the same but for its last digits."""
    path = module.successive(plan, state, velocity, ticks)
    path[:, POSITION] = path[0, POSITION] + np.arange(ticks + 1)[:, np.newaxis] * (velocity @ plan.move)[:, POSITION]
    return path


class Remembering:
    """A step that keeps momentum beside the state it belongs to."""

    def __init__(self) -> None:
        self.last: dict[int, Any] = {}
        self.kept: list[Any] = []  # so that an id stays that of one state

    def __call__(self, plan, state, command):
        before = self.last.get(id(state), 0.0)
        moved = module.step(plan, state, command._replace(velocity=command.velocity + 0.5 * before))
        self.last[id(moved)] = command.velocity.copy()
        self.kept.append(moved)
        return moved


CASES: dict[str, tuple[dict[str, Any], str, str]] = {
    "writes into its state": ({"step": writes_into_its_state}, "test_step_is_pure", "arguments, after the call"),
    "draws globally": ({"step": draws_from_the_global_generator}, "test_step_is_pure", "called again"),
    "depends on the batch": ({"step": depends_on_the_batch}, "test_a_batch_is_its_rows", "cursor"),
    "one axis in front": ({"step": has_one_axis_in_front}, "test_any_number_of_leading_axes", ""),
    "backwards": ({"step": moves_backwards}, "test_moves_as_commanded", ""),
    "lost": ({"step": is_lost}, "test_cursors_have_shape_and_finite_numbers", "finite"),
    "drifts": ({"step": drifts}, "test_starts_at_rest_at_the_given_place", "result"),
    "forgets on restore": ({"step": Remembering()}, "test_a_restored_effector_goes_on_the_same", "cursors"),
    "in the centre": ({"init": starts_in_the_centre}, "test_starts_at_rest_at_the_given_place", ""),
    "anywhere": ({"init": starts_anywhere}, "test_refuses_places_that_are_not_finite", "DID NOT RAISE"),
    "error without a field": ({"init": names_no_field}, "test_refuses_places_that_are_not_finite", ""),
    "single precision": ({"cursor": in_single_precision}, "test_cursors_have_shape_and_finite_numbers", ""),
    "position only": (
        {"cursor": lambda plan, state: state[..., POSITION]},
        "test_cursors_have_shape_and_finite_numbers",
        "",
    ),
    "state without a stored name": (UNNAMED_STATE, "test_step_is_pure", "@stored"),
    "successive states without the present": (
        {"successive": without_the_present},
        "test_successive_ticks_are_those_one_by_one",
        "",
    ),
    "successive states beyond the edge": (
        {"successive": passes_the_edge},
        "test_successive_ticks_are_those_one_by_one",
        "state",
    ),
    "successive states in another order": (
        {"successive": in_another_order},
        "test_successive_ticks_are_those_one_by_one",
        "state",
    ),
    "half the gradient": ({"back": half_the_gradient}, "test_adjoints_are_those_of_step_and_cursor", "back"),
    "no gradient of velocity": (
        {"cursor_back": without_velocity},
        "test_adjoints_are_those_of_step_and_cursor",
        "cursor_back",
    ),
}


def test_the_whole_effectors_pass():
    assert failures(Cursor) == {}
    assert failures(PointMass) == {}


@pytest.mark.parametrize("case", CASES)
def test_a_broken_effector_fails(case):
    parts, test, says = CASES[case]
    check(Cursor, parts, test, says)


def test_a_correction_that_is_ignored_fails():
    """Where a command corrects the decoded position, the cursor has to jump."""

    def ignores_corrections(plan, state, command):
        return point_mass.step(plan, state, command._replace(correction=None))

    check(PointMass, {"step": ignores_corrections}, "test_corrections_move_the_cursor")
