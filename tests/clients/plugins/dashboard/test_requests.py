"""What tabs may ask for."""

import json

import pytest
from pydantic import ValidationError

from decoderd_plugins.dashboard import requests
from decoderd_plugins.dashboard.window import Place

HEAD = {"session": "a", "number": 1}


def parsed(**fields):
    return requests.ANY.validate_json(json.dumps(fields))


def test_a_frame():
    assert parsed(op="frame", session=None).seen == Place()
    assert parsed(op="frame", session="a", seen=[3, 20, 19], slow=True).seen == Place(3, 20, 19)


@pytest.mark.parametrize(
    "fields",
    [
        {"op": "frame"},
        {"op": "frame", "session": "a", "more": 1},
        {"op": "frame", "session": "a", "seen": [1, 2, 3, 4]},
        {"op": "stop", **HEAD},
        {"op": "pause", "session": None, "number": 1},
        {"op": "assist", **HEAD, "weight": 1.5},
        {"op": "assist", **HEAD, "weight": float("nan")},
        {"op": "unperturb", **HEAD, "name": ""},
        {"op": "perturb", **HEAD, "fields": "x" * 30_000},
    ],
)
def test_others_are_refused(fields):
    with pytest.raises(ValidationError):
        parsed(**fields)
