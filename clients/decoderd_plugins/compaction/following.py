"""Measuring while a session runs, or from its file.

While it runs, one thread receives messages and another works out numbers: seconds of that lose nothing.
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

from decoderd.errors import DecoderdError
from decoderd.recording.reader import open_session
from decoderd.wire import codec
from decoderd_client.control import Session
from decoderd_client.plugins import Unable
from decoderd_client.requests import ControlError, NoAnswer
from decoderd_plugins.compaction import Config, daily, reporting
from decoderd_plugins.compaction.gathering import TOPICS, Gathered, Gathering, swaps

SOURCE = "compaction"
# How often finished numbers are looked for.
LOOK_S = 0.2

Tell = Callable[[str], None]


class Series:
    """The days of one session as they are measured; files in the folder are those of the days so far."""

    def __init__(self, session: str, plan: daily.Plan, tell: Tell) -> None:
        self.session, self.plan, self._tell = session, plan, tell
        self.days: list[daily.Numbers] = []
        reporting.write(plan.config.out, session, plan, ())  # a folder that cannot be written is known at once

    def measure(self, gathered: Gathered) -> daily.Numbers:
        """Add a day."""
        numbers = daily.of(gathered, self.plan)
        first = next((day for day in self.days if day.kept), None)
        if first is not None and numbers.kept:
            changes = daily.against(first, numbers, self.plan)
            numbers = numbers._replace(estimates=numbers.estimates | changes, evidence=None)
        self.days.append(numbers)
        reporting.write(self.plan.config.out, self.session, self.plan, self.days)
        return numbers

    def conclude(self) -> None:
        """Draw the figure, if it can be drawn."""
        folder = self.plan.config.out
        if not any(day.kept for day in self.days):
            self._tell(f"no day was kept: a day needs {self.plan.config.per_target} reaches to each target, and 2 more")
        elif find_spec("matplotlib") is None:
            self._tell("no figure: matplotlib is not installed (pip install 'decoderd[plot]')")
        else:
            from decoderd_plugins.compaction import drawing

            drawing.draw(folder / reporting.FIGURE, self.session, self.days)
        self._tell(f"{len(self.days)} days measured, in {folder}")


@contextmanager
def _plainly() -> Iterator[None]:
    try:
        with threadpool_limits(limits=1):  # the matrices are small; sums then have one order
            yield
    except (DecoderdError, OSError) as error:
        raise Unable(str(error)) from None


def _plan(config: Config, tick_s: float, units: int, task: dict[str, Any], readouts: Any) -> daily.Plan:
    targets = config.targets or task.get("targets")
    if targets is None:
        raise Unable(f"a task of kind {task['kind']!r} does not say how many targets it has: give --targets")
    chosen = config.readouts or readouts or range(units)
    wrong = [unit for unit in chosen if not 0 <= unit < units]
    if wrong or len(set(chosen)) < len(chosen):
        raise Unable(f"readouts: must be different units from 0 to {units - 1}, not {list(chosen)}")
    return daily.Plan(config, tick_s, units, targets, tuple(chosen))


def live(session: Session, config: Config, tell: Tell) -> None:
    """Follow a running session from its beginning; give the numbers of each day back to it."""
    with (
        _plainly(),
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
        series = Series(description["session"], plan, tell)
        gathering = Gathering(swaps(description["protocol"]["overnight"]))
        waiting: deque[Future[daily.Numbers]] = deque()
        while True:
            message = messages.next(LOOK_S)
            if message is not None:
                for gathered in gathering.hear(message.topic, message.payload):
                    waiting.append(pool.submit(series.measure, gathered))
            while waiting and waiting[0].done():
                _told(session, waiting.popleft().result(), config.publish, messages.over, tell)
            if message is None and messages.over:
                break
        for future in waiting:
            _told(session, future.result(), config.publish, True, tell)
        series.conclude()


def _told(session: Session, numbers: daily.Numbers, publish: bool, over: bool, tell: Tell) -> None:
    tell(reporting.summary(numbers))
    if not publish:
        return
    if over:
        tell(f"day {numbers.day}: the session is over, so its numbers are in the files only")
        return
    try:
        session.metrics(SOURCE, reporting.flat(numbers), numbers.day)
    except (ControlError, NoAnswer) as error:
        tell(f"day {numbers.day}: its numbers were not published: {error}")


def stored(directory: Path, config: Config, tell: Tell) -> None:
    """Measure the days that are complete in a session's file."""
    with _plainly(), open_session(directory) as recorded:
        protocol = recorded.protocol
        gathering = Gathering(swaps(protocol.overnight.model_dump()))
        for topic in ("day", "trial", "decoder"):  # no day is whole before its counts
            for payload in recorded.messages(topic):
                gathering.hear(topic, payload)
        series = None
        for chunk in recorded.store.chunks("counts"):
            for payload in codec.decode_all(chunk.data):
                if series is None:
                    task = protocol.task.model_dump()
                    plan = _plan(config, protocol.tick_s, payload["n"][1], task, recorded.readouts)
                    series = Series(recorded.name, plan, tell)
                for gathered in gathering.hear("counts", payload):
                    tell(reporting.summary(series.measure(gathered)))
        if series is None:
            raise Unable(f"{directory}: holds no counts")
        series.conclude()
