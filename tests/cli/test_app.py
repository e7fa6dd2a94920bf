"""The command line, in processes of its own."""

from __future__ import annotations

import json
import os
import pty
import select
import signal
import subprocess
import time

import numpy as np
import pytest

from decoderd import __version__
from decoderd.errors import StoreError
from decoderd.recording.reader import open_session
from decoderd.recording.store import open_store
from tests import protocols, running
from tests.protocols import FROM_OUTSIDE, centre_out, lasting, outside
from tests.running import cli, contents, failure, stored, summary

KEYS = {
    "session",
    "days",
    "trials",
    "successes",
    "success_rate",
    "ticks",
    "digest",
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


# --- run, resume, replay


def test_version():
    assert cli("--version").stdout == f"decoderd {__version__}\n"


def test_without_a_command_there_is_help():
    shown = cli()
    assert "run" in shown.stdout + shown.stderr
    for name in ("run", "resume", "replay", "decode"):
        assert "Usage" in cli(name, "--help").stdout


def test_run_replay_and_resume(tmp_path, protocol):
    folder = tmp_path / "session"
    done = summary(cli("run", protocol, "--speed", "max", "--out", folder, "--json"))
    check_summary(done)
    expected = protocols.run(centre_out())
    assert done["session"] == "session"  # the folder's name
    assert (done["days"], done["trials"], done["ticks"]) == (1, 4, len(expected.states) - 1)
    assert done["successes"] == sum(trial["x"] == "success" for trial in expected.of("trial"))
    assert done["success_rate"] == done["successes"] / 4
    assert done["lateness"]["missed"] == 0
    assert [done["lateness"][key] for key in ("p50_us", "p99_us", "p999_us", "max_us")] == [None] * 4
    assert done["digest"] == running.record(tmp_path / "here", centre_out(), name="session")["digest"]

    replayed = cli("replay", folder, "--verify", "--json")
    assert summary(replayed) == {"identical": True, "ticks": done["ticks"], "difference": None}
    assert f"identical: every recorded byte of {done['ticks']} ticks" in cli("replay", folder).stdout

    again = summary(cli("resume", folder, "--json"))
    check_summary(again)
    assert (again["digest"], again["ticks"]) == (done["digest"], done["ticks"])


def test_what_people_read(tmp_path, protocol):
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
    assert (done["session"], done["days"], done["trials"]) == ("session", 2, 2)
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
    here = running.record(tmp_path / "here", outside(), FROM_OUTSIDE, name="session")
    assert summary(done)["digest"] == here["digest"]
    with open_session(tmp_path / "session") as recorded:
        assert len(recorded.journal()) == sum(map(len, FROM_OUTSIDE.values()))


def test_a_replay_that_differs_fails(tmp_path):
    path = running.write(tmp_path / "p.toml", outside())
    inputs = running.write_inputs(tmp_path / "i.jsonl", FROM_OUTSIDE)
    folder = tmp_path / "session"
    assert cli("run", path, "--speed", "max", "--inputs", inputs, "--out", folder).returncode == 0
    with open_store(folder, writing=True) as store, store._db:
        store._db.execute("DELETE FROM journal WHERE tick = 62")
    done = cli("replay", folder, "--verify", "--json")
    assert done.returncode == 1
    found = json.loads(done.stdout.splitlines()[-1])
    assert (found["identical"], found["difference"]["topic"], found["difference"]["tick"]) == (False, "tick", 64)
    assert "not identical: tick at tick 64" in cli("replay", folder).stdout


# --- errors


SILENCE = "perturbations=[{name='p', kind='silence', site='neural', units=[99]}]"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("run nowhere.toml", "nowhere.toml: no such protocol"),
        ("run bad.toml", "population.units = 0: must be at least 1"),
        ("run p.toml --set population.unit=5", "Did you mean units?"),
        ("run p.toml --set population", "expected KEY=VALUE"),
        ("run p.toml --days 0", "schedule.days = 0: must be at least 1"),
        ("run p.toml --seed -1", "seed = -1: must be at least 0"),
        ("run p.toml --seed x", "--seed"),
        ("run p.toml --speed fast", "--speed fast: expected realtime, max, lockstep, or a factor"),
        ("run p.toml --inputs bad.jsonl", "bad.jsonl, line 1: op: "),
        ("run p.toml --inputs nowhere.jsonl", "nowhere.jsonl: cannot be read"),
        (["run", "p.toml", "--set", SILENCE], "perturbations.0 (p): units [99] are not there"),
        (["run", "p.toml", "--set", "decoder={kind='linear', file='nowhere.npz'}"], "nowhere.npz: no such file"),
        ("run", "Missing argument"),
        ("run p.toml more", "unexpected extra argument"),
        ("rum p.toml", "No such command"),
        ("resume out", "out: holds no session"),
        ("resume", "Missing argument"),
        ("replay .", ".: holds no session"),
        ("decode --kind kalman", "Missing option"),
    ],
)
def test_errors_are_said_and_nothing_is_written(tmp_path, protocol, arguments, message):
    (tmp_path / "bad.toml").write_text(protocol.read_text().replace("units = 12", "units = 0"))
    (tmp_path / "bad.jsonl").write_text('{"tick": 1, "op": "dance"}\n')
    words = arguments.split() if isinstance(arguments, str) else arguments
    out = ["--out", "out", "--json"] if words[:1] == ["run"] and len(words) > 1 else []
    before = contents(tmp_path)
    done = cli(*words, *out, cwd=tmp_path)
    assert message in failure(done)
    assert done.returncode in (1, 2)
    if out and done.returncode == 1:
        assert message in running.refusal(done)["message"]
    else:
        assert done.stdout == ""
    assert contents(tmp_path) == before
    assert not (tmp_path / "out").exists()


def test_long_messages_are_not_broken_into_lines(tmp_path):
    deep = tmp_path / ("x" * 100) / ("y" * 100)
    narrow = {**running.environment(), "COLUMNS": "40"}
    assert failure(cli("run", deep / "p.toml", env=narrow)) == f"error: {deep / 'p.toml'}: no such protocol\n"


def test_a_directory_that_holds_a_session_is_refused_and_unchanged(tmp_path, protocol):
    folder = tmp_path / "session"
    assert cli("run", protocol, "--speed", "max", "--out", folder).returncode == 0
    before = contents(folder)
    said = failure(cli("run", protocol, "--speed", "max", "--seed", 5, "--out", folder))
    assert "there is a session already; resume it, or choose another directory" in said
    assert contents(folder) == before


def test_files_that_are_no_sessions(tmp_path):
    (tmp_path / "session.sqlite").write_bytes(b"hello" * 100)
    for command in ("resume", "replay"):
        assert "the file is corrupt" in failure(cli(command, tmp_path))
    assert (tmp_path / "session.sqlite").read_bytes() == b"hello" * 100


def test_a_corrupt_chunk_is_said_without_a_traceback(tmp_path):
    running.record(tmp_path, lasting(1.0))
    with open_store(tmp_path, writing=True) as store, store._db:
        store._db.execute("UPDATE message SET data = CAST(substr(data, 5) AS BLOB) WHERE topic = 'tick'")
    assert "the file is corrupt" in failure(cli("replay", tmp_path))


def test_a_running_session_has_one_writer_and_any_number_of_readers(tmp_path):
    folder = tmp_path / "session"
    process = running.start("run", running.write(tmp_path / "p.toml", lasting(60.0)), "--out", folder)
    try:
        wait_for_ticks(folder, process, 30)
        assert "another process is running this session" in failure(cli("resume", folder))
        replayed = summary(cli("replay", folder, "--json"))
        assert replayed["identical"]
        assert replayed["ticks"] > 0
    finally:
        running.end(process)


# --- signals


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
    whole = summary(cli("run", path, "--speed", "max", "--name", "session", "--json"))
    assert resumed["digest"] == whole["digest"]
    assert resumed["done"]
    assert stored(folder).startswith(ticks)


def test_an_interrupted_person_is_told_how_to_go_on(tmp_path):
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
    """A tick comes every two seconds here: the first interrupt waits for the next and tells, the second does not."""
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
    whole = summary(cli("run", path, "--speed", "max", "--name", "session", "--json"))
    assert resumed["digest"] == whole["digest"]


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


def test_resume_keeps_the_speed_it_ran_at(tmp_path):
    path = running.write(tmp_path / "p.toml", lasting(6.0))
    folder = tmp_path / "session"
    process = running.start("run", path, "--speed", "10", "--out", folder)
    try:
        wait_for_ticks(folder, process, 20)
    finally:
        running.end(process)
    cli("resume", folder)
    with open_store(folder) as store:
        assert [(row["speed"], row["period_ns"]) for row in store.incarnations()] == [("10", 1_000_000)] * 2


# --- progress


def on_a_terminal(*arguments):
    """(what a terminal was shown on stderr, exit status)"""
    ours, theirs = pty.openpty()
    environment = {name: value for name, value in running.environment().items() if name != "NO_COLOR"}
    process = subprocess.Popen(
        running.command(*arguments),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=theirs,
        env={**environment, "TERM": "xterm", "COLUMNS": "100"},
    )
    os.close(theirs)
    shown, until = b"", time.monotonic() + running.TIMEOUT_S
    try:
        while time.monotonic() < until:
            if select.select([ours], [], [], 0.1)[0]:
                try:
                    part = os.read(ours, 65536)
                except OSError:  # the other end is closed
                    break
                shown += part
        process.communicate(timeout=running.TIMEOUT_S)
    finally:
        running.end(process)
        os.close(ours)
    return shown.decode(), process.returncode


def test_a_bar_on_a_terminal_for_what_takes_longer_than_two_seconds(tmp_path):
    path = running.write(tmp_path / "p.toml", lasting(4.0))
    shown, status = on_a_terminal("run", path, "--speed", "1")
    assert status == 0
    assert "small-3" in shown
    assert "%" in shown
    # The last line of it is gone in the end.
    assert shown.rstrip().endswith("\x1b[?25h") or "\x1b[2K" in shown


def test_no_bar_for_what_is_over_sooner(tmp_path):
    shown, status = on_a_terminal("run", running.write(tmp_path / "p.toml", lasting(0.5)), "--speed", "1")
    assert (shown, status) == ("", 0)


def test_no_bar_where_there_is_no_terminal(tmp_path):
    done = cli("run", running.write(tmp_path / "p.toml", lasting(3.0)), "--speed", "1", "--json")
    assert done.stderr == ""
    assert len(done.stdout.splitlines()) == 1


# --- decode


def plain_kalman(a, counts, x, P):
    """Textbook recursion with a matrix inverse."""
    rows = []
    for y in counts:
        x, P = a["A"] @ x, a["A"] @ P @ a["A"].T + a["W"]
        K = P @ a["C"].T @ np.linalg.inv(a["C"] @ P @ a["C"].T + a["Q"])
        x, P = x + K @ (y - a["C"] @ x), (np.eye(len(P)) - K @ a["C"]) @ P
        rows.append(x)
    return np.array(rows)


def plain_steady_state(a, counts, x):
    """The gain of a long recursion, used from the first bin on."""
    P = np.zeros_like(a["A"])
    for _ in range(3000):
        prior = a["A"] @ P @ a["A"].T + a["W"]
        K = prior @ a["C"].T @ np.linalg.inv(a["C"] @ prior @ a["C"].T + a["Q"])
        P = (np.eye(len(P)) - K @ a["C"]) @ prior
    rows = []
    for y in counts:
        x = a["A"] @ x
        x = x + K @ (y - a["C"] @ x)
        rows.append(x)
    return np.array(rows)


def plain_manifold(a, counts, v):
    """Factor by factor, as in the paper."""
    L, Psi = a["fa_loadings"], np.diag(a["fa_private_var"])
    beta = L.T @ np.linalg.inv(L @ L.T + Psi)
    P = np.zeros((2, 2))
    for _ in range(3000):
        prior = a["kf_A"] @ P @ a["kf_A"].T + a["kf_Q"]
        K = prior @ a["kf_C"].T @ np.linalg.inv(a["kf_C"] @ prior @ a["kf_C"].T + a["kf_R"])
        P = (np.eye(2) - K @ a["kf_C"]) @ prior
    rows = []
    for y in counts:
        z = a["factor_scale"] * (beta @ (a["count_scale"] * (y - a["count_mean"])) - a["factor_mean"])
        v = a["kf_A"] @ v + a["kf_b"]
        v = v + K @ (z - a["kf_C"] @ v - a["kf_d"])
        rows.append(v)
    return np.array(rows)


def plain_linear(a, counts, v):
    rows = []
    for y in counts:
        v = a["M1"] @ v + a["M2"] @ y + a["m0"]
        rows.append(v)
    return np.array(rows)


def kalman_arrays(draw):
    A = np.eye(5)
    A[0, 2] = A[1, 3] = 0.05
    A[2, 2] = A[3, 3] = 0.9
    mixing = draw.normal(size=(6, 6))
    C = np.column_stack([draw.normal(0, 5, (6, 2)), draw.normal(0, 20, (6, 2)), draw.uniform(1, 5, 6)])
    return {"A": A, "W": np.diag([0, 0, 4e-4, 4e-4, 0]), "C": C, "Q": mixing @ mixing.T + 2 * np.eye(6)}


def manifold_arrays(draw):
    mixing = draw.normal(size=(3, 3))
    return {
        "count_mean": draw.uniform(1, 5, 6),
        "count_scale": draw.uniform(0.3, 1, 6),
        "fa_loadings": draw.normal(0, 0.6, (6, 3)),
        "fa_private_var": draw.uniform(0.3, 0.9, 6),
        "factor_mean": draw.normal(0, 0.1, 3),
        "factor_scale": draw.uniform(0.8, 1.5, 3),
        "kf_A": np.array([[0.9, 0.02], [-0.01, 0.88]]),
        "kf_b": np.array([0.001, -0.002]),
        "kf_Q": 4e-4 * np.eye(2),
        "kf_C": draw.normal(0, 10, (3, 2)),
        "kf_d": draw.normal(0, 0.1, 3),
        "kf_R": mixing @ mixing.T + np.eye(3),
    }


def linear_arrays(draw):
    return {"M1": np.array([[0.7, 0.1], [0, 0.6]]), "M2": draw.normal(0, 0.02, (2, 6)), "m0": np.array([0.01, 0.02])}


CONSTANT = np.array([0.0, 0, 0, 0, 1])
DECODERS = {
    "kalman": (kalman_arrays, lambda a, y, x: plain_kalman(a, y, CONSTANT if x is None else x, np.zeros((5, 5)))),
    "steady_state_kalman": (kalman_arrays, lambda a, y, x: plain_steady_state(a, y, CONSTANT if x is None else x)),
    "intrinsic_manifold": (manifold_arrays, lambda a, y, v: plain_manifold(a, y, np.zeros(2) if v is None else v)),
    "linear": (linear_arrays, lambda a, y, v: plain_linear(a, y, np.zeros(2) if v is None else v)),
}


@pytest.mark.parametrize("from_initial", [False, True])
@pytest.mark.parametrize("kind", DECODERS)
def test_decode(tmp_path, kind, from_initial):
    draw = np.random.default_rng(21)
    make, plain = DECODERS[kind]
    arrays, counts = make(draw), draw.poisson(3.0, (40, 6))
    np.savez(tmp_path / "d.npz", **arrays)
    np.save(tmp_path / "counts.npy", counts)
    options, initial = [], None
    if from_initial:
        entries = 5 if "kalman" in kind else 2
        initial = np.r_[draw.normal(0, 0.1, entries - 1), 1.0]
        np.save(tmp_path / "x0.npy", initial)
        options = ["--initial", tmp_path / "x0.npy"]
    files = ["--decoder", tmp_path / "d.npz", "--counts", tmp_path / "counts.npy", "--out", tmp_path / "out.npy"]
    done = summary(cli("decode", "--kind", kind, *files, *options, "--json"))
    expected = plain(arrays, counts, initial)
    assert done == {"kind": kind, "bins": 40, "entries": expected.shape[1], "out": str(tmp_path / "out.npy")}
    np.testing.assert_allclose(np.load(tmp_path / "out.npy"), expected, rtol=1e-8, atol=1e-10)


def test_decode_begins_from_x0_and_p0_of_the_file(tmp_path):
    draw = np.random.default_rng(22)
    x0, P0 = np.array([0.01, -0.02, 0.1, 0.2, 1]), np.diag([1e-4, 1e-4, 1e-3, 1e-3, 0])
    arrays, counts = {**kalman_arrays(draw), "x0": x0, "P0": P0}, draw.poisson(3.0, (20, 6))
    np.savez(tmp_path / "d.npz", **arrays)
    np.save(tmp_path / "counts.npy", counts)
    files = ["--decoder", tmp_path / "d.npz", "--counts", tmp_path / "counts.npy", "--out", tmp_path / "out.npy"]
    assert "20 bins decoded to 5 entries each" in cli("decode", "--kind", "kalman", *files).stdout
    np.testing.assert_allclose(
        np.load(tmp_path / "out.npy"), plain_kalman(arrays, counts, x0, P0), rtol=1e-8, atol=1e-10
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"--kind": "kalmann"}, "'kalmann' is not among the decoders"),
        ({"--kind": "external"}, "there is nothing to decode"),
        ({"--decoder": "nowhere.npz"}, "nowhere.npz: no such file"),
        ({"--decoder": "counts.npy"}, "expected an .npz file"),
        ({"--counts": "nowhere.npy"}, "nowhere.npy: no such file"),
        ({"--counts": "d.npz"}, "expected one array (.npy)"),
        ({"--counts": "narrow.npy"}, "counts: has shape (4, 5), expected any x 6"),
        ({"--counts": "empty.npy"}, "counts: is empty"),
        ({"--counts": "nan.npy"}, "counts[2, 1] = nan"),
        ({"--initial": "narrow.npy"}, "initial: has shape (4, 5), expected 5"),
        ({"--out": "nowhere/out.npy"}, "out.npy: cannot be written: No such file or directory"),
    ],
    ids=str,
)
def test_decode_says_what_does_not_fit(tmp_path, change, message):
    draw = np.random.default_rng(23)
    np.savez(tmp_path / "d.npz", **kalman_arrays(draw))
    counts = draw.poisson(3.0, (4, 6)).astype(float)
    np.save(tmp_path / "counts.npy", counts)
    np.save(tmp_path / "narrow.npy", counts[:, :5])
    np.save(tmp_path / "empty.npy", counts[:0])
    np.save(tmp_path / "nan.npy", np.where(np.arange(24).reshape(4, 6) == 13, np.nan, counts))
    options = {"--kind": "kalman", "--decoder": "d.npz", "--counts": "counts.npy", "--out": "out.npy", **change}
    before = contents(tmp_path)
    done = cli("decode", *[part for option in options.items() for part in option], "--json", cwd=tmp_path)
    assert message in failure(done)
    assert contents(tmp_path) == before
