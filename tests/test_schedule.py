"""Days and blocks, compared with a list of blocks written out by hand."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from decoderd import schedule
from decoderd.schedule import Block, Schedule

TICK_S = 0.01


def run(plan, ticks=10_000, trial_every=50):
    """(day, block, ticks, trials) of every block run, if a trial ends every `trial_every` ticks."""
    progress = schedule.first(plan)
    lengths = schedule.lengths(plan, TICK_S)
    runs, begun = [], 0
    for tick in range(1, ticks):
        if tick % trial_every == 0:
            progress = progress._replace(trials=progress.trials + 1)
        if schedule.block_over(lengths[progress.block], progress, tick):
            trials = progress.trials - progress.block_trial
            runs.append((progress.day, progress.block, tick - begun, trials))
            begun = tick
            progress = schedule.following(plan, progress, tick)
            if progress.done:
                return runs, progress
            assert progress.block_tick == tick
            assert progress.block_trial == progress.trials
    raise AssertionError("never over")


def test_blocks_end_by_trials_or_time_whichever_is_first():
    plan = Schedule(
        blocks=(
            Block(trials=3),
            Block(duration_s=1.2),
            Block(trials=2, duration_s=100.0),
            Block(trials=100, duration_s=0.5),
        )
    )
    # The second block ends at tick 270, so that the third sees its second trial end at 350.
    assert run(plan)[0] == [(1, 0, 150, 3), (1, 1, 120, 2), (1, 2, 80, 2), (1, 3, 50, 1)]


def test_blocks_of_some_days():
    plan = Schedule(days=3, blocks=(Block(trials=1, days=(1, 3)), Block(trials=2, days=(2,)), Block(trials=1)))
    runs, progress = run(plan)
    assert [(day, block) for day, block, _, _ in runs] == [(1, 0), (1, 2), (2, 1), (2, 2), (3, 0), (3, 2)]
    assert (progress.day, progress.trials, progress.done) == (3, 7, True)


def test_progress_has_the_tick_and_trial_at_which_a_day_began():
    plan = Schedule(days=2, blocks=(Block(trials=1), Block(trials=1)))
    progress = schedule.first(plan)._replace(trials=1, successes=1)
    progress = schedule.following(plan, progress, 40)
    assert (progress.day, progress.day_tick, progress.block_tick, progress.day_trial) == (1, 0, 40, 0)
    progress = schedule.following(plan, progress._replace(trials=2), 90)
    assert (progress.day, progress.day_tick, progress.block_tick) == (2, 90, 90)
    assert (progress.day_trial, progress.block_trial, progress.day_successes) == (2, 2, 1)


@pytest.mark.parametrize("days", [(2,), (1, 3)])
def test_a_day_without_a_block_is_refused(days):
    with pytest.raises(ValueError, match=r"day [12] has no block"):
        Schedule(days=3, blocks=(Block(trials=1, days=days),))


blocks = st.lists(
    st.tuples(
        st.one_of(st.none(), st.integers(1, 4)),
        st.one_of(st.none(), st.integers(1, 150)),
        st.one_of(st.none(), st.lists(st.integers(1, 4), min_size=1, max_size=3)),
    ),
    max_size=3,
)


@given(blocks, st.integers(1, 3))
def test_runs_every_block_of_every_day_once_and_in_order(given_blocks, days):
    made = [
        Block(trials=trials, duration_s=None if ticks is None else ticks * TICK_S, days=chosen and tuple(chosen))
        for trials, ticks, chosen in given_blocks
        if trials or ticks
    ]
    plan = Schedule(days=days, blocks=(*made, Block(trials=1)))
    due = [
        (day, index)
        for day in range(1, days + 1)
        for index, block in enumerate(plan.blocks)
        if block.days is None or day in block.days
    ]
    runs, _ = run(plan)
    assert [(day, block) for day, block, _, _ in runs] == due
    for _, index, ticks, trials in runs:
        block = plan.blocks[index]
        assert trials == block.trials or (block.duration_s and ticks == round(block.duration_s / TICK_S))
    if (expected := schedule.expected_trials(plan)) is not None and all(b.duration_s is None for b in plan.blocks):
        assert expected == sum(trials for _, _, _, trials in runs)


def test_expected_ticks_and_trials():
    timed = Schedule(days=3, blocks=(Block(duration_s=2.0), Block(duration_s=1.0, days=(2, 2, 9))))
    assert schedule.expected_ticks(timed, TICK_S) == 3 * 200 + 100
    assert schedule.expected_trials(timed) is None
    counted = Schedule(days=3, blocks=(Block(trials=5), Block(trials=7, days=(1, 3))))
    assert schedule.expected_trials(counted) == 3 * 5 + 2 * 7
    assert schedule.expected_ticks(counted, TICK_S) is None
    assert schedule.expected_ticks(Schedule(blocks=(Block(trials=5, duration_s=2.0),)), TICK_S) is None
