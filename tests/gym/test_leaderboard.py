"""The leaderboard of CentreOut-v1: sessions of agents, the table, its page, and the command."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from decoderd.gym import baselines, centre_out, leaderboard
from decoderd.gym.leaderboard import Result
from decoderd.protocol import protocol

PAGE = Path(__file__).resolve().parents[2] / "docs" / "explanation" / "centre-out-v1.md"


class AtRest:
    """An agent that decodes no movement."""

    def begin(self, env):
        pass

    def act(self, observation):
        return np.zeros(2, np.float32)


def shortened(monkeypatch, trials=1):
    """The benchmark with fewer trials, and one seed."""
    whole = centre_out.protocol
    monkeypatch.setattr(
        centre_out, "protocol", lambda name: whole(name) | {"schedule": {"blocks": [{"trials": trials}]}}
    )


def test_the_page_has_what_the_command_writes_for_one_session_of_a_row():
    (entry,) = (entry for entry in leaderboard.ENTRIES if (entry.task, entry.make) == ("subject", baselines.Regulator))
    (line,) = (line for line in PAGE.read_text().splitlines() if f"| {entry.task} | {entry.agent} |" in line)
    (found,) = leaderboard.results(centre_out.task("subject"), entry.make, seeds=centre_out.SEEDS[:1])
    assert line.split("|")[-2].strip().split(", ")[0] == f"{found.successes} of {found.trials}"


def test_the_page_has_a_row_of_every_baseline_and_what_is_promised():
    rows = {}
    for line in PAGE.read_text().splitlines():
        cells = [cell.strip() for cell in line.split("|")[1:-1]]
        if len(cells) == 5 and cells[2].endswith("%"):
            rows[cells[0], cells[1]] = float(cells[2].removesuffix(" %"))
            each = [tuple(map(int, one.split(" of "))) for one in cells[4].split(", ")]
            assert len(each) == len(centre_out.SEEDS)
            successes, trials = map(sum, zip(*each, strict=True))
            assert rows[cells[0], cells[1]] == pytest.approx(100 * successes / trials, abs=0.06)
    assert list(rows) == [(entry.task, entry.agent) for entry in leaderboard.ENTRIES]
    assert rows["decoder", "Kalman filter, calibrated"] >= 90
    assert max(rows["decoder", "random"], rows["subject", "random"]) <= 5
    assert rows["adaptation", "recursive maximum likelihood"] > 4 * rows["adaptation", "decoder not changed"]


def test_a_calibrated_filter_reaches_and_noise_does_not():
    task = centre_out.task("decoder")
    env = leaderboard.gymnasium.make(task.environment, set={"schedule.blocks": [{"trials": 4}]})
    assert leaderboard.play(env, baselines.Kalman(), 1).successes >= 3
    assert leaderboard.play(env, baselines.Random(), 1).successes == 0


def test_a_row_adds_up_its_sessions():
    found = leaderboard.row("decoder", "mine", [Result(40, 30, 2.0), Result(20, 15, 1.0)])
    assert found == "| decoder | mine | 75.0 % | 15.0 | 30 of 40, 15 of 20 |"


def test_a_table_takes_the_place_of_the_former():
    header = "\n".join(leaderboard.HEADER)
    page = f"Before.\n\n{header}\n| old |\n| older |\n\nAfter.\n"
    assert leaderboard.replaced(page, ["| new |"]) == f"Before.\n\n{header}\n| new |\n\nAfter.\n"
    with pytest.raises(ValueError, match="one is expected"):
        leaderboard.replaced("No table.", [])


def test_the_command_scores_an_agent_of_ones_own(monkeypatch, capsys):
    shortened(monkeypatch)
    monkeypatch.setattr(leaderboard, "SEEDS", (1,))
    monkeypatch.setattr(leaderboard, "found_agent", lambda name: {"mine:AtRest": AtRest}[name])
    assert leaderboard.main(["--task", "decoder", "--agent", "mine:AtRest"]) == 0
    *_, line = capsys.readouterr().out.splitlines()
    assert line.startswith("| decoder | mine:AtRest | 0.0 % | 0.0 | 0 of 1")


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--agent", "numpy:ones"], "--agent needs --task"),
        (["--task", "decoder", "--agent", "no_such_module:X"], "expected MODULE:NAME"),
        (["--task", "decoder", "--write", "page.md"], "--write needs all tasks"),
        (["--write", "/no/such/page.md"], "No such file"),
    ],
)
def test_the_command_says_what_is_wrong(capsys, arguments, reason):
    assert leaderboard.main(arguments) == 1
    assert reason in capsys.readouterr().err


def test_every_task_has_a_protocol_and_no_other_name_has():
    names = [protocol.parse(centre_out.protocol(task.name)).name for task in centre_out.TASKS]
    assert set(names) == {"centre-out-v1"}
    with pytest.raises(ValueError, match="decoder, adaptation, subject"):
        centre_out.task("walking")
