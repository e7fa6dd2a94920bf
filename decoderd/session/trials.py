"""Trials of a session: the log of the one under way, its end, and what the population learns from it."""

from __future__ import annotations

from typing import Any, NamedTuple

from decoderd.perturbations.sites import ActivePerturbation
from decoderd.session import learning
from decoderd.session.learning import LearningRule, TickTrace
from decoderd.session.messages import Messages, task_message, trial_message
from decoderd.state import REACH, REST, Cue, Event, Parameters, Progress, SessionState, TrialLog


class Ongoing(NamedTuple):
    """What the course of trials changes in a session."""

    log: TrialLog
    progress: Progress
    parameters: Parameters
    plasticity: Any
    trace: tuple[TickTrace, ...]  # ticks of the trial under way, kept for plasticity


def ongoing(state: SessionState) -> Ongoing:
    """The part of a session's state that trials change."""
    return Ongoing(state.log, state.progress, state.parameters, state.plasticity, state.trace)


def ended_with(outcome: str) -> tuple[Event, ...]:
    """The event of a trial that ends in this tick."""
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
    """Carry out a tick's events: trials begin, change phase and end, each with its message.

    `rule` is None in blocks without plasticity.
    """
    names = tuple(p.name for p in active)
    if cue.trial == trial.log.trial:
        fresh = tuple(name for name in names if name not in trial.log.names)
        trial = trial._replace(log=trial.log._replace(names=trial.log.names + fresh))
    for event in events:
        log = trial.log
        if event.outcome is None and log.trial == trial.progress.trials:  # none under way: one begins
            log = TrialLog(log.trial + 1, tick, -1, -1, None, names)
        messages.append(task_message(log, cue, event))
        if event.phase == REACH:
            log = log._replace(go_tick=tick, target=cue.target, place=cue.goal)
        trial = trial._replace(log=log)
        if event.outcome is not None:
            trial = end(rule, trial, event.outcome, messages)
    return trial


def end(rule: LearningRule | None, trial: Ongoing, outcome: str, messages: Messages) -> Ongoing:
    """End the trial under way: the population learns from it, it is counted, and its message is sent."""
    parameters, plasticity = trial.parameters, trial.plasticity
    if rule is not None:
        parameters, plasticity = learning.end_trial(rule, parameters, plasticity, trial.trace, trial.log, messages)
    messages.append(trial_message(trial.progress, trial.log, outcome))
    progress = trial.progress
    progress = progress._replace(trials=progress.trials + 1, successes=progress.successes + (outcome == "success"))
    return Ongoing(trial.log, progress, parameters, plasticity, ())
