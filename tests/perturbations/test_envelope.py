"""When a perturbation is on, and how much."""

import pytest
from pydantic import TypeAdapter, ValidationError

from decoderd.perturbations import envelope
from decoderd.perturbations.envelope import Block, Envelope, Ramp, Step
from decoderd.trigger import Trigger


def test_amounts():
    """A ramp of 2 s at 10 ms a tick rises by 1/200 a tick and stays at 1; the others are all or nothing."""
    ramp = Ramp(rise_s=2.0)
    for since in range(400):
        assert envelope.amount(ramp, since, 0.01) == pytest.approx(min(since, 200) / 200)
        assert envelope.amount(Step(), since, 0.01) == 1.0
        assert envelope.amount(Block(start=Trigger(tick=0), stop=Trigger(tick=9)), since, 0.01) == 1.0


def test_the_trigger_that_ends_each_envelope():
    stop = Trigger(trial=9)
    assert envelope.stop_of(Step()) is None
    assert envelope.stop_of(Ramp(rise_s=1)) is None
    assert envelope.stop_of(Ramp(rise_s=1, stop=stop)) == stop
    assert envelope.stop_of(Block(start=Trigger(tick=0), stop=stop)) == stop


def test_shapes_are_distinguished_by_name():
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
def test_the_stop_must_come_after_the_start(shape, start, stop, fits):
    given = {"shape": shape, "start": start, "stop": stop, **({"rise_s": 1.0} if shape == "ramp" else {})}
    parse = TypeAdapter(Envelope).validate_python
    if fits:
        parse(given)
    else:
        with pytest.raises(ValidationError, match="stop"):
            parse(given)
