"""Measures compaction in a live session or in a recorded one.

In a live session one thread receives messages and another computes measures, so that no message is lost meanwhile.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from threadpoolctl import threadpool_limits

from decoderd import extras
from decoderd.errors import DecoderdError
from decoderd.recording.reader import Recorded, open_session
from decoderd.wire.messages import Counts
from decoderd_client.control import Session
from decoderd_client.plugins import Unable
from decoderd_client.requests import ControlError, NoAnswer
from decoderd_plugins.compaction import Config, measures, output
from decoderd_plugins.compaction.days import TOPICS, DayAssembler, DayData, swaps

SOURCE = "compaction"
# How long a message is waited for before finished measures are looked for.
WAIT_S = 0.2

OnProgress = Callable[[str], None]


class Series:
    """Measures the days of one session in order, and writes the files of the days so far after each."""

    def __init__(self, session: str, plan: measures.MeasurementPlan, on_progress: OnProgress) -> None:
        self.session, self.plan, self._on_progress = session, plan, on_progress
        self.days: list[measures.DayMeasures] = []
        output.write(plan.config.out, session, plan, ())  # fails at once where the folder cannot be written

    def measure(self, day: DayData) -> measures.DayMeasures:
        """Measure the next day."""
        numbers = measures.measure_day(day, self.plan)
        first = next((earlier for earlier in self.days if earlier.kept), None)
        if first is not None and numbers.kept:
            changes = measures.changes_between(first, numbers, self.plan)
            numbers = numbers._replace(estimates=numbers.estimates | changes, comparison_data=None)
        self.days.append(numbers)
        output.write(self.plan.config.out, self.session, self.plan, self.days)
        return numbers

    def conclude(self) -> None:
        """Draw the figure, where days were kept and matplotlib is installed."""
        folder = self.plan.config.out
        if not any(day.kept for day in self.days):
            self._on_progress(
                f"no day was kept: a day needs {self.plan.config.per_target} reaches to each target, and 2 more"
            )
        elif find_spec("matplotlib") is None:
            self._on_progress(f"no figure: matplotlib is not installed ({extras.install('plot')})")
        else:
            from decoderd_plugins.compaction import figure

            figure.draw(folder / output.FIGURE, self.session, self.days)
        self._on_progress(f"{len(self.days)} days measured, in {folder}")


@contextmanager
def _errors_as_unable() -> Iterator[None]:
    try:
        with threadpool_limits(limits=1):  # the matrices are small; sums then have one order
            yield
    except (DecoderdError, OSError) as error:
        raise Unable(str(error)) from None


def _plan(config: Config, tick_s: float, units: int, task: dict[str, Any], readouts: Any) -> measures.MeasurementPlan:
    targets = config.targets or task.get("targets")
    if targets is None:
        raise Unable(f"a task of kind {task['kind']!r} does not say how many targets it has: give --targets")
    chosen = config.readouts or readouts or range(units)
    wrong = [unit for unit in chosen if not 0 <= unit < units]
    if wrong or len(set(chosen)) < len(chosen):
        raise Unable(f"readouts: must be different units from 0 to {units - 1}, not {list(chosen)}")
    return measures.MeasurementPlan(config, tick_s, units, targets, tuple(chosen))


def run_live(session: Session, config: Config, on_progress: OnProgress) -> None:
    """Measure a running session from its beginning, and give the measures of each day back to it as metrics."""
    with (
        _errors_as_unable(),
        session.subscribe(TOPICS, from_start=True) as messages,
        ThreadPoolExecutor(1, "compaction") as pool,
    ):
        description = session.describe()
        plan = _plan(
            config,
            description["tick_s"],
            description["units"],
            description["protocol"]["task"],
            description["first_readouts"],
        )
        series = Series(description["session"], plan, on_progress)
        assembler = DayAssembler(swaps(description["protocol"]["overnight"]))
        waiting: deque[Future[measures.DayMeasures]] = deque()
        while True:
            message = messages.next(WAIT_S)
            if message is not None:
                for day in assembler.receive(message):
                    waiting.append(pool.submit(series.measure, day))
            while waiting and waiting[0].done():
                _publish(session, waiting.popleft().result(), config.publish, messages.over, on_progress)
            if message is None and messages.over:
                break
        for future in waiting:
            _publish(session, future.result(), config.publish, True, on_progress)
        series.conclude()


def _publish(
    session: Session, numbers: measures.DayMeasures, publish: bool, over: bool, on_progress: OnProgress
) -> None:
    on_progress(output.summary(numbers))
    if not publish:
        return
    if over:
        on_progress(f"day {numbers.day}: the session is over, its measures are in the files only")
        return
    try:
        session.metrics(SOURCE, output.flat(numbers), numbers.day)
    except (ControlError, NoAnswer) as error:
        on_progress(f"day {numbers.day}: its measures were not published: {error}")


def run_recorded(directory: Path, config: Config, on_progress: OnProgress) -> None:
    """Measure the whole days of a recorded session. Raises Unable for a folder without a session or without counts."""
    with _errors_as_unable(), open_session(directory) as recorded:
        series = None
        for plan, days in days_of(recorded, config):
            if series is None:
                series = Series(recorded.name, plan, on_progress)
            for day in days:
                on_progress(output.summary(series.measure(day)))
        if series is None:
            raise Unable(f"{directory}: holds no counts")
        series.conclude()


def days_of(recorded: Recorded, config: Config) -> Iterator[tuple[measures.MeasurementPlan, list[DayData]]]:
    """The plan of a recorded session, and the days that are whole with each message of counts."""
    protocol, plan = recorded.protocol, None
    assembler = DayAssembler(swaps(protocol.overnight.model_dump()))
    for topic in ("day", "trial", "decoder"):  # no day is whole before its counts arrive
        for message in recorded.messages(topic):
            assembler.receive(message)
    for counts in map(Counts.read, recorded.payloads(Counts.topic)):
        if plan is None:
            task = protocol.task.model_dump()
            plan = _plan(config, protocol.tick_s, counts.shape[1], task, recorded.readouts)
        yield plan, assembler.receive(counts)
