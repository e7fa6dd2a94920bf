"""The criterion that stops and restarts updating."""

import pytest
from pydantic import ValidationError

from decoderd.state import Timing
from decoderd.updaters import Criterion, criterion

TIMING = Timing(0.01, 10)  # bins of 0.1 s


def plan(**fields):
    return criterion.plan(Criterion(**{"stop_at_per_min": 8, "restart_drop": 0.15, "window_s": 60.0, **fields}), TIMING)


def states_after(plan, state, bins, every=0):
    """The states of so many bins, with a success in every so many."""
    states = []
    for k in range(1, bins + 1):
        state = criterion.follow(plan, state, int(every > 0 and k % every == 0))
        states.append(state)
    return states


STOPPED = criterion.State(False, 10.0, 0, ())


@pytest.mark.parametrize(
    ("state", "successes", "updating", "stopped_at"),
    [
        (criterion.begin(), 0, True, 0.0),
        (criterion.begin(), 7, True, 0.0),
        (criterion.begin(), 8, False, 8.0),
        (criterion.begin(), 30, False, 30.0),
        (STOPPED, 10, False, 10.0),
        (STOPPED, 9, False, 10.0),  # down by 10 %
        (STOPPED, 8, True, 10.0),  # down by 20 %
        (STOPPED, 0, True, 10.0),
        (STOPPED, 40, False, 10.0),
    ],
)
def test_the_rate_of_a_full_window_decides(state, successes, updating, stopped_at):
    now = state
    for k in range(600):
        before = now
        now = criterion.follow(plan(), now, int(k < successes))
        assert before.updating == state.updating, "before the window was full"
    assert (now.updating, now.stopped_at) == (updating, stopped_at)
    if now.updating != state.updating:
        assert now[2:] == (0, ())


def test_the_window_slides():
    """6 successes in the first minute are forgotten when 8 come in the second."""
    state = states_after(plan(), criterion.begin(), 600, every=100)[-1]
    assert criterion.rate(plan(), state) == 6
    later = states_after(plan(), state, 600, every=70)
    first = next(k for k, one in enumerate(later, 1) if not one.updating)
    assert first == 7 * 70 or criterion.rate(plan(), later[first - 2]) == 7
    assert later[first - 1].stopped_at == 8


def test_two_successes_in_a_bin_count_twice():
    state = criterion.follow(plan(), criterion.begin(), 2)
    assert state.successes == (1, 1)


def test_each_state_lasts_at_least_one_window():
    state, lengths, last = criterion.begin(), [], 0
    for k in range(6000):
        before, state = state, criterion.follow(plan(), state, int(k % 50 == 0 and k % 1500 < 900))
        if before.updating != state.updating:
            lengths.append(k - last)
            last = k
    assert len(lengths) >= 2
    assert min(lengths) >= 599


def test_without_a_drop_it_stays_stopped():
    assert not any(s.updating for s in states_after(plan(restart_drop=None), STOPPED, 3000))


def test_a_new_day_starts_with_an_empty_window():
    state = criterion.renewed(states_after(plan(), criterion.begin(), 500, every=20)[-1])
    assert state == criterion.begin()
    assert criterion.renewed(STOPPED._replace(bins=7, successes=(3,))) == STOPPED


@pytest.mark.parametrize("fields", [{"stop_at_per_min": 0}, {"restart_drop": 1.2}, {"window_s": 0}])
def test_values_out_of_range_are_refused(fields):
    with pytest.raises(ValidationError):
        plan(**fields)


@pytest.mark.parametrize("began", [criterion.begin(), STOPPED, criterion.State(False, 3.0, 0, ())])
@pytest.mark.parametrize("every", [0, 7, 60, 95])
def test_bins_without_a_success_pass_together_until_one_may_change_updating(began, every):
    one = plan(restart_drop=0.5, window_s=20.0)
    changes = 0
    for state in [began, *states_after(one, began, 700, every)]:
        bins = min(criterion.steady(one, state), 300)
        one_by_one = [state, *states_after(one, state, bins + 1)]
        assert all(after.updating == state.updating for after in one_by_one[:-1])
        assert criterion.passed(one, state, bins) == one_by_one[-2]
        changes += one_by_one[-1].updating != state.updating
    assert changes or every == 0 or began.updating
