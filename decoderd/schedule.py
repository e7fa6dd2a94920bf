"""The schedule of a session: its days and their blocks, and when each ends."""

from __future__ import annotations

from typing import Annotated, NamedTuple

from pydantic import Field, model_validator

from decoderd.config import Config, Count, ticks
from decoderd.state import NEVER, Progress


class Block(Config):
    """A block of trials. It ends after `trials` or after `duration_s`, whichever comes first."""

    name: Annotated[str, Field(min_length=1, max_length=64)] = "block"
    trials: Count | None = None
    duration_s: Annotated[float, Field(strict=True, gt=0, le=1e7)] | None = None
    plasticity: Annotated[bool, Field(description="whether the population learns in it")] = True
    days: Annotated[
        tuple[Count, ...] | None, Field(min_length=1, description="days on which it runs; absent: every day")
    ] = None
    updating: Annotated[bool, Field(strict=True, description="whether an updater may change the decoder in it")] = True

    @model_validator(mode="after")
    def _ends(self) -> Block:
        if self.trials is None and self.duration_s is None:
            raise ValueError("needs an end: give trials or duration_s")
        return self


class BlockLength(NamedTuple):
    """The length of a block, in trials and in ticks; None: no limit. It is over at the first limit reached."""

    trials: int | None
    ticks: int | None


class Schedule(Config):
    """The number of days, and the blocks of each day."""

    days: Annotated[int, Field(strict=True, ge=1, le=100_000)] = 1
    blocks: Annotated[tuple[Block, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _no_empty_day(self) -> Schedule:
        for day in range(1, min(self.days, 10_000) + 1):
            if _next_block(self, day, -1) is None:
                raise ValueError(f"day {day} has no block")
        return self


def _next_block(schedule: Schedule, day: int, after: int) -> int | None:
    for index in range(after + 1, len(schedule.blocks)):
        days = schedule.blocks[index].days
        if days is None or day in days:
            return index
    return None


def first(schedule: Schedule) -> Progress:
    """The progress at the beginning of day 1."""
    block = _next_block(schedule, 1, -1)
    assert block is not None  # Schedule has no empty day
    return Progress(
        day=1,
        block=block,
        day_tick=0,
        block_tick=0,
        day_trial=0,
        block_trial=0,
        trials=0,
        successes=0,
        day_successes=0,
        done=False,
    )


def lengths(schedule: Schedule, tick_s: float) -> tuple[BlockLength, ...]:
    """The lengths of the blocks, in their order."""
    return tuple(
        BlockLength(block.trials, None if block.duration_s is None else ticks(block.duration_s, tick_s))
        for block in schedule.blocks
    )


def block_over(length: BlockLength, progress: Progress, next_tick: int) -> bool:
    """Whether the current block, of `length`, has ended before `next_tick`."""
    if length.trials is not None and progress.trials - progress.block_trial >= length.trials:
        return True
    return next_tick > last_tick(length, progress)


def last_tick(length: BlockLength, progress: Progress) -> int:
    """The last tick of the current block, of `length`; NEVER for a block of trials."""
    return NEVER if length.ticks is None else progress.block_tick + length.ticks - 1


def following(schedule: Schedule, progress: Progress, next_tick: int) -> Progress:
    """The progress after the end of a block: at the next block, at the next day, or done."""
    block = _next_block(schedule, progress.day, progress.block)
    if block is not None:
        return progress._replace(block=block, block_tick=next_tick, block_trial=progress.trials)
    if progress.day >= schedule.days:
        return progress._replace(done=True)
    block = _next_block(schedule, progress.day + 1, -1)
    assert block is not None  # Schedule has no empty day
    return progress._replace(
        day=progress.day + 1,
        block=block,
        day_tick=next_tick,
        block_tick=next_tick,
        day_trial=progress.trials,
        block_trial=progress.trials,
        day_successes=progress.successes,
    )


def expected_ticks(schedule: Schedule, tick_s: float) -> int | None:
    """Ticks of the session, None where a block ends by its trials."""
    total = 0
    for block in schedule.blocks:
        if block.duration_s is None or block.trials is not None:
            return None
        runs = schedule.days if block.days is None else sum(day <= schedule.days for day in set(block.days))
        total += runs * ticks(block.duration_s, tick_s)
    return total


def plastic_s(schedule: Schedule, day: int) -> float | None:
    """Seconds at most that a day's blocks with plasticity last; None where one ends by its trials alone."""
    total = 0.0
    for block in schedule.blocks:
        if block.plasticity and (block.days is None or day in block.days):
            if block.duration_s is None:
                return None
            total += block.duration_s
    return total


def expected_trials(schedule: Schedule) -> int | None:
    """Trials of the session, None where a block ends by its duration alone."""
    total = 0
    for block in schedule.blocks:
        if block.trials is None:
            return None
        runs = schedule.days if block.days is None else sum(day <= schedule.days for day in set(block.days))
        total += runs * block.trials
    return total
