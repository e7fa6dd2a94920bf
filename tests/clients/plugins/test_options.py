"""Options that take several values, as text of the command line and as values of TOML."""

from __future__ import annotations

import pytest
from pydantic import TypeAdapter, ValidationError

from decoderd.trigger import Trigger
from decoderd_plugins.options import FORMS, TriggerOption, as_list, trigger_text

TRIGGER = TypeAdapter(TriggerOption)


@pytest.mark.parametrize(
    ("text", "fields"),
    [
        ("trial=81", {"trial": 81}),
        ("day=3", {"day": 3}),
        ("day = 3, trial = 5", {"day": 3, "trial": 5}),
        ("tick=6000", {"tick": 6000}),
    ],
)
def test_a_trigger_is_read_from_text_and_from_fields(text, fields):
    trigger = TRIGGER.validate_python(text)
    assert trigger == TRIGGER.validate_python(fields) == Trigger(**fields)
    assert trigger_text(trigger) == text.replace(" ", "")


@pytest.mark.parametrize("text", ["soon", "trial", "trial=x", "hour=3", "trial=-1", ""])
def test_other_text_is_refused_with_the_right_forms(text):
    with pytest.raises(ValidationError, match=FORMS):
        TRIGGER.validate_python(text)


@pytest.mark.parametrize(("text", "new"), [("trial:81", "trial=81"), ("day:3", "day=3")])
def test_the_old_spelling_is_refused_with_the_new_one(text, new):
    with pytest.raises(ValidationError, match=f"is an old spelling: write {new}"):
        TRIGGER.validate_python(text)


def test_lists():
    assert as_list("0, 1,2") == ["0", "1", "2"]
    assert as_list(3) == [3]
    assert as_list([1, 2]) == [1, 2]
