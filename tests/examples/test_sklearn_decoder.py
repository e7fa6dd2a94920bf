"""The decoder from scikit-learn, fitted to a recorded session, drives the cursor of the next."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.protocols import centre_out
from tests.running import TIMEOUT_S, environment, record
from tests.service.serving import lockstep, served

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "sklearn_decoder.py"
DATA = centre_out(
    task={"kind": "centre_out"},
    population={"kind": "tuned", "units": 100},
    decoder={"kind": "kalman"},
    schedule={"blocks": [{"name": "only", "trials": 40}]},
)


def driving(folder, trials):
    """R2 offline and the share of trials that succeed."""
    record(folder / "recorded", DATA)
    driven = {**DATA, "decoder": {"kind": "external"}, "schedule": {"blocks": [{"name": "only", "trials": trials}]}}
    with served(folder, driven, *lockstep("decoder"), "--silence", "600") as (control, _, _):
        done = subprocess.run(
            [sys.executable, EXAMPLE, folder / "recorded", control],
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
            env=environment(),
        )
    assert done.returncode == 0, done.stderr
    score, reached, of = re.fullmatch(r"R2 .*: (\S+)\n(\d+) of (\d+) trials succeeded\n", done.stdout).groups()
    assert int(of) == trials
    return float(score), int(reached) / trials


def test_it_drives_the_cursor(tmp_path):
    score, success = driving(tmp_path, 8)
    assert score > 0.6
    assert success >= 0.6


@pytest.mark.campaign
def test_it_reaches_four_of_five_targets(tmp_path):
    """The Kalman decoder that it is fitted beside reaches nine of ten."""
    assert driving(tmp_path, 40)[1] >= 0.8


def test_rows_hold_the_newest_bins_of_each_unit(monkeypatch):
    monkeypatch.syspath_prepend(EXAMPLE.parent)
    import sklearn_decoder  # type: ignore[import-not-found]  # an example, in no package

    bins = sklearn_decoder.HISTORY + 1
    rows = sklearn_decoder.with_history(np.arange(2 * bins).reshape(bins, 2))
    assert rows.shape == (2, 2 * sklearn_decoder.HISTORY)
    assert sorted(rows[1]) == list(range(2, 2 * bins))
