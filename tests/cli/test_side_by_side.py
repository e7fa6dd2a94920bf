"""`decoderd run --sessions`: tables of the sessions, those of recordings; and what is refused."""

from __future__ import annotations

import csv
import json

import pytest
from typer.testing import CliRunner

from decoderd.batch import outcomes
from decoderd.cli import app
from decoderd.errors import DecoderdError
from decoderd.recording.reader import open_session
from tests.learners import learning
from tests.protocols import bursting, centre_out
from tests.running import cli, contents, record, write


def called(*arguments):
    """The command, called in this process."""
    return CliRunner().invoke(app.app, [str(one) for one in arguments])


def table(path):
    with path.open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_the_tables_have_the_trials_of_each_session_by_itself(tmp_path):
    data = centre_out()
    protocol = write(tmp_path / "p.toml", data)
    done = called("run", protocol, "--sessions", "3", "--speed", "max", "--out", tmp_path / "out", "--json")
    assert done.exit_code == 0, done.output
    rows, trials = table(tmp_path / "out" / "sessions.csv"), table(tmp_path / "out" / "trials.csv")
    shown = json.loads(done.stdout)["sessions"]
    assert [row["session"] for row in rows] == [one["session"] for one in shown] == ["small-3", "small-4", "small-5"]
    for row in rows:
        seed = int(row["seed"])
        summary = record(tmp_path / str(seed), {**data, "seed": seed})
        with open_session(tmp_path / str(seed)) as recorded:
            expected, digest = recorded.trials(), outcomes.digest_of(recorded)
        assert row["digest"] == digest
        assert int(row["ticks"]) == summary["ticks"]
        own = [trial for trial in trials if trial["seed"] == row["seed"]]
        assert [trial["outcome"] for trial in own] == expected["outcome"].tolist()
        assert [int(trial["end_tick"]) for trial in own] == expected["end_tick"].tolist()
        assert [float(trial["target_x_m"]) for trial in own] == expected["target_x_m"].tolist()


def test_sessions_that_learn_are_those_by_themselves_and_a_faster_way_is_named(tmp_path):
    data = learning(trials=4)
    data["task"] = {**data["task"], "order": "shuffled"}
    protocol = write(tmp_path / "p.toml", data)
    done = called("run", protocol, "--sessions", "2", "--speed", "max", "--out", tmp_path / "out")
    assert done.exit_code == 0, done.output
    assert "trial by trial" not in done.stderr
    for row in table(tmp_path / "out" / "sessions.csv"):
        record(tmp_path / row["seed"], {**data, "seed": int(row["seed"])})
        with open_session(tmp_path / row["seed"]) as recorded:
            assert row["digest"] == outcomes.digest_of(recorded)
    in_turn = write(tmp_path / "in-turn.toml", learning(trials=4, rule={"trials_per_update": 4}))
    done = called("run", in_turn, "--sessions", "2", "--speed", "max")
    assert done.exit_code == 0, done.output
    assert "a study with `batch` computes these sessions trial by trial" in done.stderr


def test_a_session_that_fails_is_a_row_with_the_reason_and_status_1(tmp_path):
    protocol = write(tmp_path / "p.toml", bursting(150, [3], {"clip_spikes": False}))
    done = called("run", protocol, "--sessions", "2", "--speed", "max", "--out", tmp_path / "out")
    assert done.exit_code == 1
    assert "sessions.csv, trials.csv" in done.stderr
    assert all("expected spikes" in row["error"] for row in table(tmp_path / "out" / "sessions.csv"))


@pytest.mark.parametrize(
    ("options", "fields", "said"),
    [
        ([], {}, "--speed realtime: sessions side by side run as fast as they can"),
        (["--speed", "max", "--serve"], {}, "--serve: not together with --sessions"),
        (["--speed", "max", "--name", "x"], {}, "--name: not together with --sessions"),
        (["--speed", "max"], {"task": {"kind": "external"}}, "task.kind = 'external'"),
        (["--speed", "max"], {"decoder": {"kind": "external"}}, "decoder.kind = 'external'"),
    ],
)
def test_what_cannot_be_is_refused_and_nothing_is_written(tmp_path, options, fields, said):
    protocol = write(tmp_path / "p.toml", centre_out(**fields))
    done = called("run", protocol, "--sessions", "2", "--out", tmp_path / "out", *options)
    assert isinstance(done.exception, DecoderdError)
    assert said in str(done.exception)
    assert not (tmp_path / "out").exists()


def test_a_refusal_is_one_message_and_status_1(tmp_path):
    done = cli("run", write(tmp_path / "p.toml", centre_out()), "--sessions", "2")
    assert done.returncode == 1
    assert done.stderr.startswith("error: --speed realtime: sessions side by side run")


def test_a_folder_that_holds_something_stays_as_it_is(tmp_path):
    protocol = write(tmp_path / "p.toml", centre_out())
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").write_text("mine")
    before = contents(tmp_path / "out")
    done = called("run", protocol, "--sessions", "2", "--speed", "max", "--out", tmp_path / "out")
    assert "is not an empty folder" in str(done.exception)
    assert contents(tmp_path / "out") == before
