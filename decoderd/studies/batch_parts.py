"""A batch of sessions as one part of a study: seeds of one setting that are computed together.

Populations that learn from trials of a fixed length are computed trial by trial (`session_batch`): numbers agree with
those of the sessions by themselves to rounding (1e-9 in double precision), and the digest is of losses, trials and the
population at the end. All others are computed tick by tick (`batch.side_by_side`), with the numbers of the sessions by
themselves to the bit; the digest is of all messages but those of ticks and counts, of which there are none, and so no
recording. Numbers do not depend on the division into batches.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from decoderd.batch import outcomes
from decoderd.clock import now_ns
from decoderd.errors import DecoderdError
from decoderd.preparation.parameters import prepare
from decoderd.protocol import protocol as protocols
from decoderd.protocol.protocol import Protocol
from decoderd.recording import session_file
from decoderd.run import realtime
from decoderd.session.assembly import assemble
from decoderd.session.step import initial
from decoderd.state import Parameters
from decoderd.studies import batch_kinds, folder, measures, parts, session_batch
from decoderd.studies.batch_days import DayTrials, run_day
from decoderd.studies.measures import Asked, Day
from decoderd.studies.study import StudyError


class BatchTask(NamedTuple):
    """Sessions to be run together: plain data, for other processes."""

    folder: str
    keys: Mapping[int, str]  # by seed
    protocol: Mapping[str, Any]  # with any of the seeds
    measures: Sequence[str | Mapping[str, Any]]


def perform(task: BatchTask) -> None:
    """Run the sessions that have no result, and write their results; as `parts.perform` does for one."""
    place, protocol = Path(task.folder), protocols.parse(task.protocol)
    with parts.ONE_AT_A_TIME, ExitStack() as locks:
        for key in sorted(task.keys.values()):  # in one order, so that two batches never wait for one another
            locks.enter_context(folder.locked(place, key))
        missing = {seed: key for seed, key in task.keys.items() if not folder.done(place, key, False)}
        if not missing:
            return
        try:
            results, failures = _measured(protocol, tuple(missing), measures.asked(task.measures))
        except StudyError:
            raise
        except Exception as error:
            results, failures = {}, dict.fromkeys(missing, str(error) or repr(error))
        for seed, found in results.items():
            folder.write_result(place, missing[seed], found)
        for seed, said in failures.items():
            folder.write_failure(place, missing[seed], said)


def _measured(
    protocol: Protocol, seeds: tuple[int, ...], asked: Sequence[Asked]
) -> tuple[dict[int, dict[str, Any]], dict[int, str]]:
    """Results by seed, and why others failed."""
    began = now_ns()
    with realtime.repeatable():
        prepared, failures = _prepared(protocol, seeds)
        if batch_kinds.tick_by_tick(protocol):
            results, ended = _run_side_by_side(protocol, prepared, asked) if prepared else ({}, {})
            failures |= ended
        else:
            results = _run(protocol, prepared, asked) if prepared else {}
    wall_s = (now_ns() - began) * 1e-9 / len(seeds)
    return {seed: {**found, "wall_s": wall_s} for seed, found in results.items()}, failures


def _prepared(protocol: Protocol, seeds: tuple[int, ...]) -> tuple[dict[int, Parameters], dict[int, str]]:
    if protocol.pretraining is not None:
        session_batch.pretrain(protocol, seeds)  # together; then each finds its own in the cache
    prepared, failures = {}, {}
    for seed in seeds:
        try:
            prepared[seed] = prepare(protocol.model_copy(update={"seed": seed}))
        except DecoderdError as error:
            failures[seed] = str(error)
    return prepared, failures


def _run_side_by_side(
    protocol: Protocol, prepared: Mapping[int, Parameters], asked: Sequence[Asked]
) -> tuple[dict[int, dict[str, Any]], dict[int, str]]:
    """Results by seed, and what ended others before their time."""
    each = [assemble(protocol.model_copy(update={"seed": seed}), one) for seed, one in prepared.items()]
    states = [initial(*pair) for pair in zip(each, prepared.values(), strict=True)]
    with realtime.steady():
        ended = outcomes.run(each, states)
    found, failures = {}, {}
    for seed, session, outcome in zip(prepared, each, ended, strict=True):
        if outcome.error is not None:
            failures[seed] = str(outcome.error)
            continue
        days = (
            Day(session.protocol, day, outcome.trials[outcome.trials["day"] == day], losses, ())
            for day in range(1, protocol.schedule.days + 1)
            for losses in (outcome.losses[outcome.loss_days == day],)
        )
        found[seed] = {
            "session": session.name,
            "days": protocol.schedule.days,
            "trials": len(outcome.trials),
            "ticks": outcome.state.tick,
            "digest": outcome.digest,
            **measures.gathered([measures.of_day(asked, day) for day in days]),
            "versions": session_file.versions(),
        }
    return found, failures


def _run(protocol: Protocol, prepared: Mapping[int, Parameters], asked: Sequence[Asked]) -> dict[int, dict[str, Any]]:
    batch = session_batch.make_batch(protocol, prepared, (getattr(protocol.updater, "intensity", 0.0),))
    with_counts = any(one.measure.counts for one in asked)
    by_day: list[list[measures.DayNumbers]] = [[] for _ in prepared]
    digests = [hashlib.sha256() for _ in prepared]
    trial, tick = 1, 0
    for day in range(1, protocol.schedule.days + 1):
        trials = DayTrials(batch, day, trial, tick, with_counts)
        batch, losses = run_day(batch, day, trials.observe)
        trial, tick = trials.next
        for s, one in enumerate(trials.days(losses)):
            by_day[s].append(measures.of_day(asked, one))
            digests[s].update(one.losses.tobytes() + "".join(one.trials["outcome"]).encode())
        if day < protocol.schedule.days:
            batch = session_batch.apply_overnight(batch, day)
    found = {}
    for s, (seed, digest) in enumerate(zip(prepared, digests, strict=True)):
        for field in batch.population:
            digest.update(np.ascontiguousarray(field[s]).tobytes())
        found[seed] = {
            "session": protocol.model_copy(update={"seed": seed}).session,
            "days": protocol.schedule.days,
            "trials": trial - 1,
            "ticks": tick,
            "digest": digest.hexdigest(),
            **measures.gathered(by_day[s]),
            "versions": session_file.versions(),
        }
    return found
