"""The manifold experiment in real session processes, and over their recordings."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from decoderd.recording.reader import open_session
from decoderd_client import ControlError, Participant, Session
from decoderd_client.plugins import Unable
from decoderd_plugins.manifold import Config, runner
from tests.protocols import EASY, centre_out, lasting, perturbation
from tests.running import TIMEOUT_S, environment, record, stored
from tests.service.serving import replayed, served, wait_for

UNITS, FACTORS = 16, 4
TASK = {"kind": "centre_out", "targets": 4, "distance_m": 0.06, "centre_radius_m": 0.03, **EASY, "radius_m": 0.015}
TASK |= {"centre_timeout_s": 1.5}
DECODERS = {
    "intrinsic_manifold": {"kind": "intrinsic_manifold", "calibration": {"reaches": 40, "factors": FACTORS}},
    "kalman": {"kind": "kalman", "calibration": {"reaches": 40}},
    "linear": {"kind": "linear", "calibration": {"reaches": 40}},
}
CALIBRATION, INJECT, WASHOUT, TRIALS = 16, 25, 37, 46
FIELDS = {
    "calibration_trials": CALIBRATION,
    "inject_at": f"trial={INJECT}",
    "washout_at": f"trial={WASHOUT}",
    "factors": FACTORS,
    "candidates": 300,
    "approach_s": 0.4,
    "window": 6,
}
LOCKSTEP = ("--speed", "lockstep", "--participant", "manifold=trial")


def protocol(kind, **fields):
    blocks = [{"name": "only", "trials": TRIALS}]
    whole = {"population": {"kind": "tuned", "units": UNITS}, "schedule": {"days": 1, "blocks": blocks}}
    return centre_out(**{**whole, "task": TASK, "decoder": DECODERS[kind], **fields})


def done(session):
    return wait_for(lambda: session.describe()["state"] == "done")


def rates(folder):
    """{block: success rate over its trials}."""
    rows = list(csv.DictReader((folder / "manifold.csv").read_text().splitlines()))
    found = {}
    for block in ("calibration", "intuitive", "perturbed", "washout"):
        of = {
            name: np.array([float(r["value"]) for r in rows if (r["block"], r["measure"]) == (block, name)])
            for name in ("trials", "success_rate")
        }
        found[block] = float((of["trials"] * of["success_rate"]).sum() / of["trials"].sum())
    return found


def check_success_fell_and_returned(folder):
    found = rates(folder)
    assert min(found["intuitive"], found["washout"]) > 0.7, found
    assert found["perturbed"] < 0.4, found


def exchanged(directory):
    with open_session(directory) as recorded:
        return [message["k"] for message in list(recorded.payloads("decoder"))]


def run_here(session, out):
    """Run the plug-in in this process."""
    lines = []
    runner.run_live(session, Config(kind="wmp", out=out, **FIELDS), lines.append)
    assert lines[-2].startswith("no figure: matplotlib is not installed")


def run_by_command(session, out):
    """Run the plug-in by its command."""
    options = {"kind": "wmp", "out": out, **FIELDS}
    words = [word for name, value in options.items() for word in (f"--{name.replace('_', '-')}", str(value))]
    ran = subprocess.run(
        [sys.executable, "-m", "decoderd_client", "run", "manifold", "--control", session.endpoint, *words],
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        env=environment(),
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    assert f"\nperturbed, trials {INJECT} to " in ran.stdout


@pytest.fixture(scope="module", autouse=True)
def _no_figures():
    """Figures take longer than all the rest; run_by_command draws one."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(runner, "find_spec", lambda name: None)
        yield


@pytest.fixture(scope="module")
def lockstep(tmp_path_factory):
    """Two runs of one experiment at the same time: (folder, directory of the session)."""

    def one(name, run):
        folder = tmp_path_factory.mktemp(name)
        with (
            served(folder, protocol("intrinsic_manifold"), *LOCKSTEP) as (control, directory, _),
            Session(control) as session,
        ):
            run(session, folder / "live")
            done(session)
        return folder / "live", directory

    with ThreadPoolExecutor(2) as pool:
        return list(pool.map(one, ("first", "second"), (run_here, run_by_command)))


def test_success_falls_at_injection_and_returns_at_washout(lockstep):
    check_success_fell_and_returned(lockstep[0][0])


def test_two_runs_in_lockstep_are_identical_and_replay(lockstep):
    (first, one), (second, other) = lockstep
    for topic in ("tick", "counts", "trial", "decoder", "metrics"):
        assert stored(one, topic) == stored(other, topic)
    for name in ("manifold.csv", "manifold.json", "candidates.csv"):
        assert (first / name).read_text() == (second / name).read_text()
    assert replayed(one)["identical"] is True


def test_decoders_are_exchanged_in_the_tick_after_a_trial_ends(lockstep):
    _, directory = lockstep[0]
    with open_session(directory) as recorded:
        ended = {payload["r"]: payload["k"] for payload in list(recorded.payloads("trial"))}
    assert exchanged(directory) == [ended[number - 1] + 1 for number in (CALIBRATION + 1, INJECT, WASHOUT)]


def test_the_recording_gives_the_same_files_as_the_live_session(lockstep, tmp_path):
    folder, directory = lockstep[0]
    runner.run_recorded(directory, Config(kind="wmp", out=tmp_path, **FIELDS), lambda line: None)
    for name in ("manifold.csv", "manifold.json", "candidates.csv"):
        assert (tmp_path / name).read_text() == (folder / name).read_text()


def test_the_figure_is_drawn_where_matplotlib_is_installed(lockstep):
    drawn, without = (folder / "manifold.png" for folder, _ in reversed(lockstep))
    assert drawn.read_bytes().startswith(b"\x89PNG")
    assert not without.exists()


def test_measures_are_given_back_as_metrics(lockstep):
    folder, directory = lockstep[0]
    with open_session(directory) as recorded:
        metrics = list(recorded.payloads("metrics"))
    windows = json.loads((folder / "manifold.json").read_text())["windows"]
    expected = [one for one in windows if one["block"] != "calibration"]
    assert len(metrics) == len(expected) - 1  # the last window ended with the session
    for message, one in zip(metrics, expected, strict=False):
        assert (message["w"], message["d"]) == ("manifold", 1)
        finite = {name: value for name, value in one["measures"].items() if value is not None}
        assert finite.items() <= message["f"].items()
    assert {"learning_amount", "overlap", "repertoire_change"} <= set(metrics[3]["f"])


def test_the_table_of_candidates_marks_the_installed_permutation(lockstep):
    folder, directory = lockstep[0]
    rows = list(csv.DictReader((folder / "candidates.csv").read_text().splitlines()))
    assert [sum(row["kind"] == kind for row in rows) for kind in ("wmp", "omp")] == [24, 300]
    (chosen,) = [row for row in rows if row["kind"] == "wmp" and row["chosen"] == "1"]
    with open_session(directory) as recorded:
        (_, given) = [entry for entry in recorded.journal() if entry[1]["op"] == "decoder"][1]
    order = np.frombuffer(given["arrays"]["permutation"]["data"])
    assert " ".join(map(str, order.astype(int))) == chosen["order"]


def test_incremental_omp_with_a_kalman_filter_beside_the_stream(tmp_path):
    """Not in lockstep: decoders are consumed when they arrive, and the session replays all the same."""
    lines, out = [], tmp_path / "live"
    config = Config(kind="omp", out=out, **FIELDS, incremental="0.5,1", stage_trials=3, until=f"trial={TRIALS}")

    def follow(control):
        with Session(control) as session:
            runner.run_live(session, config, lines.append)

    with (
        served(tmp_path, protocol("kalman"), "--speed", "lockstep", "--participant", "test=trial") as (control, at, _),
        Session(control) as session,
    ):
        session.describe()
        following_it = threading.Thread(target=follow, args=(control,))
        following_it.start()
        wait_for(out.exists)
        time.sleep(0.3)  # until it has subscribed
        participant, passed = Participant(session, "test"), None
        while passed is None or not passed.over:
            passed = participant.step()
            if passed.trials == CALIBRATION + 1:
                wait_for(lambda: any(line.startswith("calibrated") for line in lines))
            if passed.trials > CALIBRATION:
                time.sleep(0.04)  # or it acts some trials later
        following_it.join(30)
    check_success_fell_and_returned(out)
    found = json.loads((out / "manifold.json").read_text())
    assert [(stage["block"], stage["blend"]) for stage in found["stages"]] == [
        ("calibration", 0.0),
        ("intuitive", 0.0),
        ("perturbed", 0.5),
        ("perturbed", 1.0),
        ("washout", 0.0),
    ]
    assert exchanged(at) == [stage["from_tick"] for stage in found["stages"][1:]]
    assert replayed(at)["identical"] is True


def test_a_recording_without_exchanged_decoders(tmp_path):
    """The permutation is chosen as it would have been for the live session."""
    record(tmp_path / "session", protocol("linear", schedule={"days": 1, "blocks": [{"name": "only", "trials": 20}]}))
    config = Config(kind="omp", out=tmp_path / "out", **FIELDS)
    runner.run_recorded(tmp_path / "session", config, lambda line: None)
    found = json.loads((tmp_path / "out" / "manifold.json").read_text())
    assert sorted(found["fit"]["pair"]["omp"]["order"]) == list(range(UNITS))
    assert np.mean(found["fit"]["progress_mm"]) > np.mean(found["fit"]["pair"]["omp"]["progress_mm"])


# --- what is refused


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    """A long session at 20 times real time."""
    folder = tmp_path_factory.mktemp("running")
    with (
        served(folder, protocol("kalman", schedule=lasting(36000.0)["schedule"]), "--speed", "20") as (control, _, _),
        Session(control) as session,
    ):
        yield session


def arrays(session):
    reply = session.get_decoder()
    return {name: reply.array(field) for name, field in reply["arrays"].items()}


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        # One trial: too short, or, long enough, to one target only.
        ({"calibration_trials": 1, "factors": "auto"}, r"counts: \d+ bins in 4 folds|at least 3 targets"),
        ({"calibration_trials": 2, "factors": 17}, "too few for 17 factors"),
        ({"calibration_trials": 6, "order": (0, 1, 2)}, r"order: has shape \(3,\).*each of 0\.\.3 once"),
        ({"calibration_trials": 6, "order": (0, 1, 1, 2)}, r"each of 0\.\.3 once"),
        ({"calibration_trials": 6, "angle_deg": (89.99, 90)}, "none of 24 candidates"),
    ],
)
def test_a_failed_fit_or_choice_leaves_the_decoder_unchanged(running, tmp_path, fields, message):
    before = arrays(running)
    given = {**FIELDS, "kind": "wmp", "inject_at": "trial=100000", "washout_at": None, "out": tmp_path / "out"}
    with pytest.raises(Unable, match=message):
        runner.run_live(running, Config(**{**given, **fields}), print)
    assert arrays(running) == before
    assert running.describe()["next"]["decoder"] == 0
    assert not list((tmp_path / "out").iterdir())


def test_a_failed_participant_leaves_the_lockstep(tmp_path):
    with (
        served(tmp_path, protocol("kalman", schedule=lasting(12.0)["schedule"]), *LOCKSTEP) as (control, directory, _),
        Session(control) as session,
    ):
        wrong = {**FIELDS, "calibration_trials": 4, "order": (0, 1, 2)}
        with pytest.raises(Unable, match="each of"):
            runner.run_live(session, Config(kind="wmp", out=tmp_path / "out", **wrong), print)
        done(session)  # although there are no more grants
    assert exchanged(directory) == []


def test_an_injection_in_the_past_is_refused(running, tmp_path):
    wait_for(lambda: running.describe()["trials"] > 3)
    with pytest.raises(Unable, match="comes too soon"):
        runner.run_live(running, Config(kind="wmp", inject_at="trial=3", out=tmp_path), print)


def test_the_session_refuses_arrays_of_a_wrong_size(running):
    before = arrays(running)
    (units, states), data = before["C"]
    wrong = {**before, "C": ((units - 1, states), data[: 8 * states * (units - 1)])}
    with pytest.raises(ControlError) as caught:
        running.set_decoder(wrong)
    assert (caught.value.code, caught.value.field) == ("refused", "input.arrays.Q")
    short = {name: before[name] for name in ("A", "W")}
    fewer = np.eye(units - 1)
    short |= {"C": ((units - 1, states), data[: 8 * states * (units - 1)])}
    short |= {"Q": (fewer.shape, fewer.tobytes())}
    with pytest.raises(ControlError, match=f"{units - 1}") as caught:
        running.set_decoder(short)
    assert caught.value.code == "refused"
    assert arrays(running) == before


@pytest.mark.parametrize(
    ("decoder", "message"),
    [
        ({"kind": "external"}, "'external' has no manifold"),
        ({"kind": "kalman", "state": "position_velocity", "calibration": {"reaches": 8}}, "a state of 5 entries"),
    ],
)
def test_a_recording_with_an_unsuitable_decoder_is_refused(tmp_path, decoder, message):
    record(tmp_path / "session", protocol("kalman", decoder=decoder, schedule=lasting(0.5)["schedule"]))
    with pytest.raises(Unable, match=message):
        runner.run_recorded(tmp_path / "session", Config(kind="omp", out=tmp_path / "out", **FIELDS), print)


def test_a_participant_that_grants_days_is_refused(tmp_path):
    class Granted:
        def describe(self):
            return {"participants": {"manifold": {"unit": "day"}}}

    with pytest.raises(Unable, match="manifold=trial"):
        runner.run_live(Granted(), Config(kind="wmp", out=tmp_path / "out", **FIELDS), print)


def refused(folder, message, factors=FACTORS, **fields):
    """Check that the plug-in raises Unable in a running session and leaves its decoder unchanged."""
    with (
        served(folder, protocol("linear", schedule=lasting(36000.0)["schedule"], **fields), "--speed", "20") as at,
        Session(at[0]) as session,
    ):
        before = arrays(session)
        asked = {**FIELDS, "factors": factors, "inject_at": "trial=100000", "washout_at": None}
        with pytest.raises(Unable, match=message):
            runner.run_live(session, Config(kind="omp", out=folder / "out", **asked), print)
        assert arrays(session) == before
        assert session.describe()["next"]["decoder"] == 0


def test_activity_of_too_low_a_rank_is_refused(tmp_path):
    """All units but ten are silent: a manifold of twelve dimensions does not follow from that."""
    silence = perturbation("silence", "neural", units=list(range(UNITS - 10)), envelope={"shape": "step"})
    message = "covariance: has rank 10, a manifold of 12 dimensions needs at least 12"
    refused(tmp_path, message, factors=12, perturbations=[silence])


def test_a_session_with_an_unsuitable_decoder_is_refused(tmp_path):
    refused(tmp_path, "'external' has no manifold", decoder={"kind": "external"})
