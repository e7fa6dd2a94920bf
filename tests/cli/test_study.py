"""`decoderd study`."""

import json
import signal
import time

import pytest
from typer.testing import CliRunner

from decoderd.cli import app
from tests import protocols
from tests.running import TIMEOUT_S, cli, end, refusal, start
from tests.studies.small import written


def called(*arguments):
    """The command, called in this process."""
    return CliRunner().invoke(app.app, [str(one) for one in arguments])


SLOW = protocols.lasting(2000.0, name="slow", population={"kind": "tuned", "units": 8})


def test_a_bad_setting_is_one_row_and_status_1(tmp_path):
    path = written(tmp_path, vary=[{"population": {"units": [8, 0]}}], seeds=1)
    plan = json.loads(called("study", path, "--out", tmp_path / "out", "--dry-run", "--json").stdout)
    assert (plan["sessions"], plan["missing"], len(plan["invalid"])) == (2, 1, 1)
    assert "2 sessions" in called("study", path, "--out", tmp_path / "out", "--dry-run").stdout
    assert not (tmp_path / "out").exists()
    done = called("study", path, "--out", tmp_path / "out", "--jobs", "1")
    assert done.exit_code == 1
    assert "1 of 2 sessions done, 1 failed, 0 missing" in done.stdout
    assert "population.units" in done.output
    assert len((tmp_path / "out" / "sessions.csv").read_text().splitlines()) == 3


@pytest.mark.parametrize(
    ("options", "field"),
    [
        (["--keep", "all"], "keep"),
        (["--shard", "3/2"], "shard"),
        (["--scheduler", "tcp://127.0.0.1:9", "--jobs", "2"], "jobs"),
    ],
)
def test_options_that_are_wrong_are_refused(tmp_path, options, field):
    done = cli("study", written(tmp_path), "--out", tmp_path / "out", "--json", *options)
    assert done.returncode == 1
    assert refusal(done)["field"] == field
    assert not (tmp_path / "out").exists()


def test_ctrl_c_ends_it_and_a_rerun_goes_on(tmp_path):
    path = written(tmp_path, protocol=SLOW, vary=[], seeds="1-2")
    process = start("study", path, "--out", tmp_path / "out", "--jobs", "2")
    try:
        recordings = tmp_path / "out" / "recordings"
        begun = time.monotonic()
        while len(list(recordings.glob("*/session.sqlite"))) < 2:
            assert time.monotonic() < begun + TIMEOUT_S
            time.sleep(0.05)
        time.sleep(1.0)
        process.send_signal(signal.SIGINT)
        _, stderr = process.communicate(timeout=60)
    finally:
        end(process)
    assert process.returncode == 130
    assert "interrupted: 2 sessions are missing; the same command goes on" in stderr
    assert "Traceback" not in stderr
    plan = json.loads(cli("study", path, "--out", tmp_path / "out", "--dry-run", "--json").stdout)
    assert plan["missing"] == 2
    assert len(list(recordings.glob("*/session.sqlite"))) == 2
