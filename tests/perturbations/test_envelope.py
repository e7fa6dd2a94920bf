"""When a perturbation is on, and how much."""

import pytest
from pydantic import TypeAdapter, ValidationError

from decoderd.perturbations import envelope
from decoderd.perturbations.envelope import Block, Envelope, Ramp, Step, Trigger

NOW = {"tick": 500, "day": 3, "trial": 40, "day_trial": 12}


@pytest.mark.parametrize(
    ("trigger", "expected"),
    [
        ({"tick": 500}, True),
        ({"tick": 501}, False),
        ({"tick": 0}, True),
        ({"day": 3}, True),
        ({"day": 4}, False),
        ({"day": 1}, True),
        ({"trial": 40}, True),
        ({"trial": 41}, False),
        ({"day": 3, "trial": 12}, True),
        ({"day": 3, "trial": 13}, False),
        ({"day": 2, "trial": 1000}, True),  # that day is over
        ({"day": 4, "trial": 1}, False),
    ],
)
def test_a_moment_has_come(trigger, expected):
    assert envelope.reached(Trigger(**trigger), **NOW) is expected


@pytest.mark.parametrize("fields", [{}, {"tick": 1, "day": 1}, {"tick": 1, "trial": 1}])
def test_moments_that_say_nothing_or_too_much(fields):
    with pytest.raises(ValidationError, match=r"say when|tick stands alone"):
        Trigger(**fields)


@pytest.mark.parametrize("fields", [{"day": 0}, {"trial": 0}, {"tick": -1}])
def test_days_and_trials_count_from_1(fields):
    with pytest.raises(ValidationError):
        Trigger(**fields)


def test_amounts():
    """A ramp of 2 s at 10 ms a tick rises by 1/200 a tick and stays at 1; the others are all or nothing."""
    ramp = Ramp(rise_s=2.0)
    for since in range(400):
        assert envelope.amount(ramp, since, 0.01) == pytest.approx(min(since, 200) / 200)
        assert envelope.amount(Step(), since, 0.01) == 1.0
        assert envelope.amount(Block(start=Trigger(tick=0), stop=Trigger(tick=9)), since, 0.01) == 1.0


def test_ends():
    stop = Trigger(trial=9)
    assert envelope.stop_of(Step()) is None
    assert envelope.stop_of(Ramp(rise_s=1)) is None
    assert envelope.stop_of(Ramp(rise_s=1, stop=stop)) == stop
    assert envelope.stop_of(Block(start=Trigger(tick=0), stop=stop)) == stop


def test_shapes_are_told_apart_by_name():
    parse = TypeAdapter(Envelope).validate_python
    assert isinstance(parse({"shape": "step"}), Step)
    assert isinstance(parse({"shape": "ramp", "rise_s": 1}), Ramp)
    assert isinstance(parse({"shape": "block", "start": {"day": 1}, "stop": {"day": 2}}), Block)
    for wrong in ({"shape": "step", "stop": {"day": 1}}, {"shape": "ramp", "rise_s": 0}, {"shape": "block"}):
        with pytest.raises(ValidationError):
            parse(wrong)


@pytest.mark.parametrize(
    ("start", "stop", "fits"),
    [
        ({"tick": 5}, {"tick": 6}, True),
        ({"tick": 5}, {"tick": 5}, False),
        ({"trial": 9}, {"trial": 3}, False),
        ({"day": 2}, {"day": 3}, True),
        ({"day": 2}, {"day": 1}, False),
        ({"day": 2, "trial": 5}, {"day": 2, "trial": 6}, True),
        ({"day": 2, "trial": 5}, {"day": 2, "trial": 4}, False),
        ({"day": 1, "trial": 5}, {"day": 2, "trial": 1}, True),
        ({"day": 2, "trial": 1}, {"day": 2}, False),
        ({"day": 2}, {"day": 2, "trial": 1}, True),
        ({"tick": 5000}, {"trial": 1}, True),  # no way to tell before it has been run
        ({"trial": 50}, {"day": 2, "trial": 1}, True),
        ({"day": 1, "trial": 5}, {"trial": 3}, True),
    ],
)
@pytest.mark.parametrize("shape", ["block", "ramp"])
def test_the_end_comes_after_the_beginning(shape, start, stop, fits):
    given = {"shape": shape, "start": start, "stop": stop, **({"rise_s": 1.0} if shape == "ramp" else {})}
    parse = TypeAdapter(Envelope).validate_python
    if fits:
        parse(given)
    else:
        with pytest.raises(ValidationError, match="stop"):
            parse(given)
