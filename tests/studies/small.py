"""A small study, for tests of a second."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from decoderd.studies import study
from decoderd.studies.study import Study
from tests import protocols

# Sessions of 2 s, which are prepared in milliseconds.
QUICK: dict[str, Any] = protocols.lasting(2.0, name="quick", population={"kind": "tuned", "units": 8})


def small(**fields: Any) -> dict[str, Any]:
    """Plain data of a study: two settings of two seeds."""
    return {
        "name": "small",
        "protocol": QUICK,
        "seeds": "1-2",
        "measures": ["success"],
        "vary": [{"population": {"units": [8, 10]}}],
        **fields,
    }


def parsed(**fields: Any) -> Study:
    """The small study."""
    return study.parse(small(**fields))


def written(folder: Path, **fields: Any) -> Path:
    """The small study as a file, beside the file of its protocol."""
    data = small(**fields)
    (folder / "quick.toml").write_text(protocols.toml(data["protocol"]))
    (folder / "study.toml").write_text(protocols.toml({**data, "protocol": "quick.toml"}))
    return folder / "study.toml"
