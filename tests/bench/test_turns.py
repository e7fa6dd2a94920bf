"""Timing in turns."""

from decoderd.bench import turns


def test_functions_take_turns_and_the_first_round_does_not_count():
    called = []
    found = turns.microseconds({"a": lambda: called.append("a"), "b": lambda: called.append("b")}, calls=2, rounds=3)
    assert "".join(called) == 4 * "aabb"
    assert {name: len(times) for name, times in found.items()} == {"a": 3, "b": 3}
    assert all(time >= 0 for times in found.values() for time in times)


def test_figures_are_minimum_median_and_maximum():
    assert turns.figures([3.0, 1.0, 10.0]) == {"min": 1.0, "median": 3.0, "max": 10.0}


def test_a_ratio_is_the_median_of_the_ratios_of_the_rounds():
    """Not the ratio of the medians: the speed of the machine may differ from round to round."""
    assert turns.ratio([2.0, 4.0, 40.0], [1.0, 4.0, 4.0]) == 2.0
