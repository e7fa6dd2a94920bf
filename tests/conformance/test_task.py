"""The contract of tasks fails for tasks that are broken on purpose."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pytest

from decoderd.conformance import TaskContract
from decoderd.rng import Spec
from decoderd.state import REST, Event
from decoderd.tasks import centre_out as module
from decoderd.tasks import external
from decoderd.tasks.centre_out import CENTRE_OUT
from decoderd.tasks.external import EXTERNAL
from decoderd.wire.inputs import TaskEvent
from tests.conformance.breaking import check, failures


class CentreOut(TaskContract):
    """The task that comes with decoderd."""

    component = CENTRE_OUT

    def config(self):
        return self.component.Config(recentre=True)


class FromOutside(TaskContract):
    """The task that takes events."""

    component = EXTERNAL

    def events(self, tick):
        target = {"event": "start"}, {"event": "go", "target": (0.05, 0.0), "index": 3}, {"event": "end"}
        return [TaskEvent.model_validate(event) for k, event in enumerate(target) if tick % 100 == 30 * k]


class Unnamed(NamedTuple):
    """A state without a stored name."""

    inner: Any


def unnamed_step(plan, state, xy, now, streams):
    following, cue = module.step(plan, state.inner, xy, now, streams)
    return Unnamed(following), cue


UNNAMED_STATE = {
    "init": lambda plan, now, trials: Unnamed(module.init(plan, now, trials)),
    "step": unnamed_step,
}


def changed(**fields):
    """A step whose cue has other fields."""

    def step(plan, state, xy, now, streams):
        state, cue = module.step(plan, state, xy, now, streams)
        return state, cue._replace(**{name: value(cue) for name, value in fields.items()})

    return step


def writes_into_its_plan(plan, state, xy, now, streams):
    plan.places[:] += 1e-6
    return module.step(plan, state, xy, now, streams)


def draws_from_the_global_generator(plan, state, xy, now, streams):
    state, cue = module.step(plan, state, xy, now, streams)
    return state, cue._replace(radius_m=cue.radius_m + abs(np.random.normal()) * 1e-4)  # noqa: NPY002


def counts_rows_of_the_session(plan, state, xy, now, streams):
    """The order of targets depends on how many trials came before the day."""
    return module.step(plan, state._replace(before=0), xy, now, streams)


def starts_twice(plan, state, xy, now, streams):
    state, cue = module.step(plan, state, xy, now, streams)
    if cue.trial != state.before:
        return state._replace(trial=state.trial._replace(trial=state.trial.trial + 1)), cue
    return state, cue


class Remembering:
    """A step that counts ticks beside the state, where no checkpoint has them."""

    def __init__(self) -> None:
        self.ticks: dict[int, int] = {}
        self.kept: list[Any] = []  # so that an id stays that of one state

    def __call__(self, plan, state, xy, now, streams):
        ticks = self.ticks.get(id(state), 0)
        following, cue = module.step(plan, state, xy, now, streams)
        if following is state:
            following = following._replace()
        self.ticks[id(following)] = ticks + 1
        self.kept.append(following)
        return following, cue._replace(radius_m=cue.radius_m + 1e-6 * ticks)


CASES: dict[str, tuple[dict[str, Any], str, str]] = {
    "goal without a batch": (
        {"step": changed(goal=lambda cue: None if cue.goal is None else cue.goal[0])},
        "test_cues_are_well_formed",
        "",
    ),
    "goal of NaN": (
        {"step": changed(goal=lambda cue: None if cue.goal is None else cue.goal * np.nan)},
        "test_cues_are_well_formed",
        "",
    ),
    "negative radius": ({"step": changed(radius_m=lambda cue: -1.0)}, "test_cues_are_well_formed", ""),
    "phase of NumPy": ({"step": changed(phase=lambda cue: np.int64(cue.phase))}, "test_cues_are_well_formed", "plain"),
    "events of another phase": (
        {"step": changed(events=lambda cue: (Event(REST, None),) if cue.phase != REST else cue.events)},
        "test_cues_are_well_formed",
        "",
    ),
    "trials without an outcome": (
        {"step": changed(events=lambda cue: tuple(event._replace(outcome=None) for event in cue.events))},
        "test_trials_are_counted_and_each_has_one_outcome",
        "",
    ),
    "never a success": (
        {"step": changed(events=lambda cue: tuple(e._replace(outcome=e.outcome and "failed") for e in cue.events))},
        "test_a_cursor_that_goes_straight_to_its_goals_succeeds",
        "",
    ),
    "starts far away": (
        {"step": changed(start=lambda cue: None if cue.start is None else cue.start + 0.1)},
        "test_trials_start_within_the_declared_places",
        "",
    ),
    "two trials at once": ({"step": starts_twice}, "test_trials_are_counted_and_each_has_one_outcome", ""),
    "writes into its plan": ({"step": writes_into_its_plan}, "test_steps_are_pure", "arguments, after the call"),
    "draws globally": ({"step": draws_from_the_global_generator}, "test_steps_are_pure", "called again"),
    "streams of another law": (
        {"streams": lambda config: {"order": Spec("poisson", config.targets)}},
        "test_steps_are_pure",
        "",
    ),
    "forgets on restore": ({"step": Remembering()}, "test_a_resumed_task_goes_on_the_same", ""),
    "rows of the session": ({"step": counts_rows_of_the_session}, "test_a_day_does_not_depend_on_earlier_ones", "cue"),
    "state without a stored name": (UNNAMED_STATE, "test_cues_are_well_formed", "@stored"),
}


def test_the_whole_tasks_pass():
    assert failures(CentreOut) == {}
    assert failures(FromOutside) == {}


@pytest.mark.parametrize("case", CASES)
def test_a_broken_task_fails(case):
    parts, test, says = CASES[case]
    check(CentreOut, parts, test, says)


def takes_everything(plan, state, event, now):
    try:
        return external.take(plan, state, event, now)
    except Exception:
        return state


def forgets_the_start(plan, state, event, now):
    external.take(plan, state, event, now)
    return state


@pytest.mark.parametrize("take", [takes_everything, forgets_the_start])
def test_a_task_that_takes_events_at_any_time_fails(take):
    check(FromOutside, {"take": take}, "test_events_from_outside", "DID NOT RAISE")
