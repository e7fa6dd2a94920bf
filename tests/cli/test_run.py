"""`decoderd run`, `resume` and `replay`, in processes of their own: summaries, recordings, signals, inputs."""

from __future__ import annotations

import json
import signal
import time

import numpy as np
import pytest

from decoderd.errors import StoreError
from decoderd.recording.reader import open_session
from decoderd.recording.store import open_store
from tests import protocols, running
from tests.protocols import FROM_OUTSIDE, centre_out, lasting, outside
from tests.rewriting import decayed, rewritten
from tests.running import cli, contents, failure, stored, summary

KEYS = {
    "session",
    "days",
    "trials",
    "successes",
    "success_rate",
    "ticks",
    "digest",
    "clipped",
    "sim_s",
    "wall_s",
    "speed",
    "lateness",
}
LATENESS = {"p50_us", "p99_us", "p999_us", "max_us", "missed"}


@pytest.fixture
def protocol(tmp_path):
    """A protocol file of a short session."""
    return running.write(tmp_path / "p.toml", centre_out())


def check_summary(found):
    assert set(found) >= KEYS
    assert set(found["lateness"]) >= LATENESS
    assert len(found["digest"]) == 64
    int(found["digest"], 16)


def test_run_replay_and_resume(tmp_path, protocol):
    folder = tmp_path / "session"
    done = summary(cli("run", protocol, "--speed", "max", "--out", folder, "--json"))
    check_summary(done)
    expected = protocols.run(centre_out())
    assert done["session"] == "small-3"
    assert (done["days"], done["trials"], done["ticks"]) == (1, 4, len(expected.states) - 1)
    assert done["successes"] == sum(trial["x"] == "success" for trial in expected.of("trial"))
    assert done["success_rate"] == done["successes"] / 4
    assert done["lateness"]["missed"] == 0
    assert [done["lateness"][key] for key in ("p50_us", "p99_us", "p999_us", "max_us")] == [None] * 4
    assert done["digest"] == running.record(tmp_path / "here", centre_out())["digest"]

    replayed = cli("replay", folder, "--verify", "--json")
    assert summary(replayed) == {"identical": True, "ticks": done["ticks"], "difference": None}
    assert f"identical: every recorded byte of {done['ticks']} ticks" in cli("replay", folder).stdout

    again = summary(cli("resume", folder, "--json"))
    check_summary(again)
    assert (again["digest"], again["ticks"]) == (done["digest"], done["ticks"])


def test_the_summary_as_text(tmp_path, protocol):
    shown = cli("run", protocol, "--speed", "max").stdout
    for word in ("small-3", "success_rate", "digest", "ticks"):
        assert word in shown
    assert "lateness" not in shown
    paced = cli("run", protocol, "--speed", "50").stdout
    assert "lateness" in paced
    assert "scheduler" in paced


def test_real_time_is_measured(tmp_path):
    path = running.write(tmp_path / "p.toml", lasting(1.0))
    began = time.monotonic()
    done = summary(cli("run", path, "--json"))
    assert time.monotonic() - began >= 1.0
    check_summary(done)
    assert done["ticks"] == 100
    assert done["lateness"]["max_us"] >= done["lateness"]["p50_us"] >= 0
    assert done["speed"] == pytest.approx(1, abs=0.3)


def test_overrides(tmp_path, protocol):
    options = ["--seed", 9, "--days", 2, "--set", "population.units=7", "--set", "schedule.blocks.0.trials=1"]
    folder = tmp_path / "session"
    done = summary(cli("run", protocol, *options, "--speed", "max", "--out", folder, "--json"))
    assert (done["session"], done["days"], done["trials"]) == ("small-9", 2, 2)
    with open_session(folder) as recorded:
        assert recorded.counts().shape == (done["ticks"], 7)
        assert recorded.protocol.seed == 9


def test_without_out_nothing_is_kept(tmp_path, protocol):
    before = contents(tmp_path)
    (tmp_path / "tmp").mkdir()
    environment = {**running.environment(), "TMPDIR": str(tmp_path / "tmp")}
    summary(cli("run", protocol, "--speed", "max", "--json", cwd=tmp_path, env=environment))
    assert contents(tmp_path) == before
    assert not list((tmp_path / "tmp").iterdir())


def test_inputs_from_a_file(tmp_path):
    path = running.write(tmp_path / "p.toml", outside())
    refused = {"op": "task", "event": "end"}
    inputs = running.write_inputs(tmp_path / "i.jsonl", {**FROM_OUTSIDE, 1: [refused]})
    done = cli("run", path, "--speed", "max", "--inputs", inputs, "--out", tmp_path / "session", "--json")
    assert summary(done)["trials"] == 2
    assert done.stderr == "refused at tick 1: no trial is under way: send start before end\n"
    assert summary(done)["digest"] == running.record(tmp_path / "here", outside(), FROM_OUTSIDE)["digest"]
    with open_session(tmp_path / "session") as recorded:
        assert len(recorded.journal()) == sum(map(len, FROM_OUTSIDE.values()))


def test_a_replay_that_differs_fails(tmp_path):
    path = running.write(tmp_path / "p.toml", outside())
    inputs = running.write_inputs(tmp_path / "i.jsonl", FROM_OUTSIDE)
    folder = tmp_path / "session"
    assert cli("run", path, "--speed", "max", "--inputs", inputs, "--out", folder).returncode == 0
    rewritten(folder, "DELETE FROM journal WHERE tick = 62")
    done = cli("replay", folder, "--verify", "--json")
    assert done.returncode == 1
    found = json.loads(done.stdout.splitlines()[-1])
    assert (found["identical"], found["difference"]["topic"], found["difference"]["tick"]) == (False, "tick", 64)
    assert "not identical: tick at tick 64" in cli("replay", folder).stdout


def test_a_directory_that_holds_a_session_is_refused_and_unchanged(tmp_path, protocol):
    folder = tmp_path / "session"
    assert cli("run", protocol, "--speed", "max", "--out", folder).returncode == 0
    before = contents(folder)
    said = failure(cli("run", protocol, "--speed", "max", "--seed", 5, "--out", folder))
    assert "there is a session already; resume it, or choose another directory" in said
    assert contents(folder) == before


def test_files_that_hold_no_session(tmp_path):
    (tmp_path / "session.sqlite").write_bytes(b"hello" * 100)
    for command in ("resume", "replay"):
        assert "the file is corrupt" in failure(cli(command, tmp_path))
    assert (tmp_path / "session.sqlite").read_bytes() == b"hello" * 100


def test_a_corrupt_chunk_is_one_error_without_a_traceback(tmp_path):
    running.record(tmp_path, lasting(1.0))
    decayed(tmp_path, "UPDATE message SET data = CAST(substr(data, 5) AS BLOB) WHERE topic = 'tick'")
    assert "the file is corrupt" in failure(cli("replay", tmp_path))


def test_a_running_session_has_one_writer_and_any_number_of_readers(tmp_path):
    folder = tmp_path / "session"
    process = running.start("run", running.write(tmp_path / "p.toml", lasting(60.0)), "--out", folder)
    try:
        wait_for_ticks(folder, process, 30)
        assert "another process is running this session" in failure(cli("resume", folder))
        replayed = summary(cli("replay", folder, "--json"))
        assert replayed["identical"]
        assert summary(cli("check", folder, "--json"))["whole"]
        assert replayed["ticks"] > 0
    finally:
        running.end(process)


def wait_for_ticks(folder, process, ticks):
    """Wait until so many ticks are committed."""
    until = time.monotonic() + running.TIMEOUT_S
    while time.monotonic() < until:
        assert process.poll() is None, process.stderr.read()
        try:
            with open_store(folder) as store:
                if store.checkpoint()[0] >= ticks:
                    return
        except StoreError:
            pass
        time.sleep(0.02)
    raise AssertionError("the session does not begin")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_ends_at_a_tick_with_everything_stored(tmp_path, number):
    path = running.write(tmp_path / "p.toml", lasting(30.0))
    folder = tmp_path / "session"
    process = running.start("run", path, "--speed", "20", "--out", folder, "--json")
    try:
        wait_for_ticks(folder, process, 100)
        process.send_signal(number)
        out, err = process.communicate(timeout=running.TIMEOUT_S)
    finally:
        running.end(process)
    assert process.returncode == 0, err
    stopped = json.loads(out.splitlines()[-1])
    check_summary(stopped)
    assert not stopped["done"]
    assert 100 <= stopped["ticks"] < 3000
    ticks = stored(folder)
    with open_session(folder) as recorded:
        assert len(recorded.ticks()["tick"]) == stopped["ticks"]
    resumed = summary(cli("resume", folder, "--speed", "max", "--json"))
    whole = summary(cli("run", path, "--speed", "max", "--json"))
    assert resumed["digest"] == whole["digest"]
    assert resumed["done"]
    assert stored(folder).startswith(ticks)


def test_an_interrupted_run_says_how_to_go_on(tmp_path):
    path = running.write(tmp_path / "p.toml", lasting(60.0))
    folder = tmp_path / "session"
    process = running.start("run", path, "--out", folder)
    try:
        wait_for_ticks(folder, process, 10)
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=running.TIMEOUT_S)
    finally:
        running.end(process)
    assert f"everything is stored; go on with: decoderd resume {folder}\n" in out


def test_a_second_interrupt_ends_at_once(tmp_path):
    """A tick comes every two seconds here: the first interrupt waits for the next tick, the second does not."""
    path = running.write(tmp_path / "p.toml", lasting(30.0, tick_s=0.1))
    folder = tmp_path / "session"
    process = running.start("run", path, "--speed", "0.05", "--out", folder)
    try:
        wait_for_ticks(folder, process, 1)
        time.sleep(0.1)
        process.send_signal(signal.SIGINT)
        time.sleep(0.2)
        assert process.poll() is None
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=running.TIMEOUT_S)
    finally:
        running.end(process)
    assert "everything is stored" not in out
    assert process.returncode != 0
    assert "Traceback" not in err
    resumed = summary(cli("resume", folder, "--speed", "max", "--json"))
    assert resumed["digest"] == summary(cli("run", path, "--speed", "max", "--json"))["digest"]


def test_an_interrupt_before_the_first_tick_leaves_nothing(tmp_path):
    endless = {"kind": "kalman", "calibration": {"reaches": 1_000_000}}
    path = running.write(tmp_path / "p.toml", centre_out(decoder=endless))
    before = contents(tmp_path)
    process = running.start("run", path, "--out", tmp_path / "session")
    try:
        while not running.listens(process):
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=running.TIMEOUT_S)
    finally:
        running.end(process)
    assert process.returncode != 0
    assert "Traceback" not in out + err
    assert contents(tmp_path) == before


def test_a_process_that_was_stopped_is_late_once_and_its_resume_keeps_speed_and_policy(tmp_path):
    path = running.write(tmp_path / "p.toml", lasting(6.0))
    folder = tmp_path / "session"
    process = running.start("run", path, "--speed", "5", "--late", "from-now", "--out", folder)
    try:
        wait_for_ticks(folder, process, 20)
        process.send_signal(signal.SIGSTOP)
        time.sleep(0.8)
        process.send_signal(signal.SIGCONT)
        wait_for_ticks(folder, process, 200)
    finally:
        running.end(process)
    with open_store(folder) as store:
        late_ns = np.concatenate([late for _, late, _ in store.timing()])
        assert late_ns.max() > 750_000_000
        assert np.count_nonzero(late_ns > 400_000_000) == 1  # a loop that catches up has hundreds of them
    resumed = summary(cli("resume", folder, "--json"))
    assert resumed["conditions"]["late_ticks"] == "from-now"
    assert resumed["digest"] == summary(cli("run", path, "--speed", "max", "--json"))["digest"]
    with open_store(folder) as store:
        assert [(row["speed"], row["period_ns"]) for row in store.incarnations()] == [("5", 2_000_000)] * 2


# --- what a protocol needs


def test_a_session_that_needs_more_memory_than_is_allowed_is_refused_and_not_resumed(tmp_path, protocol):
    refused = running.refusal(cli("run", protocol, "--max-memory", "100M", "--out", tmp_path / "out", "--json"))
    assert refused["code"] == "bad_protocol"
    assert "needs about 1" in refused["message"]
    assert "allowed are 105 MB (--max-memory)" in refused["message"]
    assert contents(tmp_path / "out") == {}
    running.record(tmp_path / "out", centre_out())
    before = contents(tmp_path / "out")
    refused = running.refusal(cli("resume", tmp_path / "out", "--max-memory", "100M", "--json"))
    assert refused["code"] == "bad_protocol"
    assert contents(tmp_path / "out") == before
    assert "expected a size such as 4G" in failure(cli("run", protocol, "--max-memory", "much"))
