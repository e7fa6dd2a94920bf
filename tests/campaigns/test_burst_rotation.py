"""The showcase of bursts: they show a rotation at once, event rates follow, and performance comes back."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import numpy as np
import pytest

from decoderd.api import simulate

ROOT = Path(__file__).resolve().parents[2]
PROTOCOL = ROOT / "protocols" / "experiments" / "burst-rotation.toml"
PLAN = tomllib.loads((ROOT / "examples" / "turn.toml").read_text())["schedule"][0]
TURNED = slice(PLAN["on"]["trial"] - 1, PLAN["off"]["trial"] - 1)  # places of the trials in the table
GO_TICKS = 30  # of each reach, in which the decoded movement is measured


class Measures:
    """Burst fraction, success, and the angle of the decoded movement to the target, of some trials."""

    def __init__(self, recorded):
        self.trials, self.decoded = recorded.trials(), recorded.ticks()["decoded"]
        self.events, self.bursts = (recorded.counts(channel=name).sum(axis=1) for name in ("events", "bursts"))

    def fraction(self, trials):
        """Bursts over events."""
        some = self.trials[trials]
        span = slice(some["start_tick"][0], some["end_tick"][-1] + 1)
        return self.bursts[span].sum() / self.events[span].sum()

    def success(self, trials):
        """Part of the trials that succeeded."""
        return (self.trials[trials]["outcome"] == "success").mean()

    def turn_deg(self, trials):
        """Mean angle of the movement as decoded from events, before the rotation, counted from the target."""
        angles = []
        for one in self.trials[trials]:
            moved = self.decoded[one["go_tick"] : one["go_tick"] + GO_TICKS].sum(axis=0)
            angles.append(complex(*moved) / complex(one["target_x_m"], one["target_y_m"]))
        return np.degrees(np.angle(np.sum(np.array(angles) / np.abs(angles))))


def after(trial, count):
    return slice(TURNED.start + trial, TURNED.start + trial + count)


@pytest.mark.campaign
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_bursts_show_a_rotation_at_once_and_event_rates_follow(seed, capsys):
    envelope = {"shape": "block", "start": PLAN["on"], "stop": PLAN["off"]}
    found = Measures(
        simulate(PROTOCOL, seed=seed, set={"perturbations": [{**PLAN["perturbation"], "envelope": envelope}]})
    )
    with capsys.disabled():
        for first in range(0, 240, 20):
            some = slice(first, first + 20)
            row = found.fraction(some), found.turn_deg(some), found.success(some)
            print(
                json.dumps(
                    {"seed": seed, "from": first + 1, **dict(zip(("fraction", "turn", "success"), row, strict=True))}
                )
            )
        print(json.dumps({"first 8": found.fraction(after(0, 8)), "turn": found.turn_deg(after(0, 8))}))
    before = slice(TURNED.start - 20, TURNED.start)
    angle = np.degrees(PLAN["perturbation"]["angle_rad"])
    assert found.fraction(after(0, 8)) > 1.4 * found.fraction(before)
    assert abs(found.turn_deg(after(0, 8))) < angle / 4
    assert abs(found.turn_deg(before)) < angle / 8
    assert found.success(after(0, 8)) < 0.5 * found.success(before)
    assert found.turn_deg(after(60, 20)) < -angle / 2.5
    assert found.success(after(60, 20)) > 0.7 * found.success(before)
    assert found.turn_deg(slice(TURNED.stop, TURNED.stop + 8)) < -angle / 4  # the after-effect
