"""Trials of a session: their log, their end, and learning at their end."""

from __future__ import annotations

from typing import Any, NamedTuple

from decoderd.perturbations.sites import ActivePerturbation
from decoderd.populations import Spikes
from decoderd.session import learning
from decoderd.session.learning import LearningRule, TickTrace
from decoderd.session.messages import Messages, task_message, trial_message
from decoderd.state import REACH, REST, Cue, Event, Parameters, Progress, SessionState, TrialLog


class Ongoing(NamedTuple):
    """The part of a session's state that events of trials change."""

    log: TrialLog
    progress: Progress
    parameters: Parameters
    plasticity: Any
    trace: tuple[TickTrace, ...]  # ticks of the current trial, for plasticity


def ongoing(state: SessionState) -> Ongoing:
    """The part of `state` that events of trials change."""
    return Ongoing(state.log, state.progress, state.parameters, state.plasticity, state.trace)


def ended_with(outcome: str) -> tuple[Event, ...]:
    """The events of a tick in which a trial ends with `outcome`."""
    return (Event(REST, outcome),)


def follow(
    rule: LearningRule | None,
    trial: Ongoing,
    cue: Cue,
    events: tuple[Event, ...],
    active: tuple[ActivePerturbation, ...],
    tick: int,
    messages: Messages,
) -> Ongoing:
    """Process the events of a tick: trials begin, change phase and end, each with a message.

    `rule` is None in blocks without plasticity.
    """
    names = tuple(p.name for p in active)
    if cue.trial == trial.log.trial:
        added = tuple(name for name in names if name not in trial.log.names)
        if added:
            trial = trial._replace(log=trial.log._replace(names=trial.log.names + added))
    for event in events:
        log = trial.log
        if event.outcome is None and log.trial == trial.progress.trials:  # no trial is under way: one begins
            log = TrialLog(log.trial + 1, tick, -1, -1, None, names)
        messages.append(task_message(log, cue, event))
        if event.phase == REACH:
            log = log._replace(go_tick=tick, target=cue.target, place=cue.goal)
        trial = trial._replace(log=log)
        if event.outcome is not None:
            trial = end(rule, trial, event.outcome, messages)
    return trial


def learn(rule: LearningRule | None, trial: Ongoing, population: Any, counts: Spikes) -> Ongoing:
    """After a tick with these counts, a rule that follows ticks learns; `population` is the population's state."""
    if rule is None or rule.kind.follow is None:
        return trial
    parameters, plasticity = learning.follow(rule, trial.parameters, trial.plasticity, population, counts)
    return trial._replace(parameters=parameters, plasticity=plasticity)


def end(rule: LearningRule | None, trial: Ongoing, outcome: str, messages: Messages) -> Ongoing:
    """End the current trial: the population learns from it, it is counted, and its message is added."""
    parameters, plasticity = trial.parameters, trial.plasticity
    if rule is not None:
        parameters, plasticity = learning.end_trial(rule, parameters, plasticity, trial.trace, trial.log, messages)
    messages.append(trial_message(trial.progress, trial.log, outcome))
    progress = trial.progress
    progress = progress._replace(trials=progress.trials + 1, successes=progress.successes + (outcome == "success"))
    return Ongoing(trial.log, progress, parameters, plasticity, ())
