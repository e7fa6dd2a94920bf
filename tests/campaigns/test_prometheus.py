"""Metrics with Prometheus itself: promtool accepts them, and a minute of scrapes while sessions come and go.

Needs `prometheus` and `promtool` (`apt-get install prometheus`).
"""

from __future__ import annotations

import json
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from contextlib import contextmanager

import pytest

from decoderd_client import Session
from tests.protocols import lasting
from tests.running import environment
from tests.service.serving import asking, daemon, served, wait_for

BESIDE_S = 120.0
MINUTE_S = 60.0
SETTINGS = """
global: {{ scrape_interval: 1s }}
scrape_configs:
  - job_name: decoderd
    static_configs: [{{ targets: ["{address}"] }}]
"""


def needed(program):
    if shutil.which(program) is None:
        pytest.skip(f"{program} is not installed (apt-get install prometheus)")
    return program


def read(url, **query):
    with urllib.request.urlopen(f"{url}?{urllib.parse.urlencode(query)}", timeout=30) as answer:
        return answer.read().decode()


@contextmanager
def ended(*words):
    """A process that has ended afterwards."""
    one = subprocess.Popen(
        list(map(str, words)), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment()
    )
    try:
        yield one
    finally:
        one.kill()
        one.communicate(timeout=BESIDE_S)


@contextmanager
def exporter(*options):
    """The exporter's process, and its address."""
    words = (sys.executable, "-m", "decoderd_client", "run", "prometheus", "--listen", "127.0.0.1:0", *options)
    with ended(*words) as one:
        line = one.stdout.readline()
        yield one, re.fullmatch(r"metrics at http://(\S+)/metrics\n", line).group(1)


@contextmanager
def prometheus(folder, address):
    """A Prometheus that scrapes this address every second; gives a query of an instant: [(labels, value)]."""
    (folder / "prometheus.yml").write_text(SETTINGS.format(address=address))
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    words = (
        needed("prometheus"),
        f"--config.file={folder / 'prometheus.yml'}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--log.level=error",
    )

    def query(text, **more):
        found = json.loads(read(f"http://127.0.0.1:{port}/api/v1/query", query=text, **more))["data"]["result"]
        return [(one["metric"], float(one["value"][1])) for one in found]

    with ended(*words):
        wait_for(lambda: answers(port), BESIDE_S)
        yield query


def answers(port):
    try:
        return "Ready" in read(f"http://127.0.0.1:{port}/-/ready")
    except OSError:
        return False


@pytest.mark.campaign
def test_promtool_accepts_the_metrics_and_a_minute_of_scrapes_leaves_no_stale_series(tmp_path, capsys):
    data, short = tmp_path / "data", lasting(6.0)
    data.mkdir()
    with (
        daemon(data) as one,
        asking(one) as supervisor,
        exporter("--supervisor", one.control) as (_, address),
        prometheus(tmp_path, address) as query,
    ):
        supervisor.start("stays", lasting(3600.0))
        wait_for(lambda: query("decoderd_ticks_total") and query("decoderd_ticks_total")[0][1] > 0, BESIDE_S)
        checked = subprocess.run(
            [needed("promtool"), "check", "metrics"],
            input=read(f"http://{address}/metrics"),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        began, names = time.monotonic(), []
        while time.monotonic() - began < MINUTE_S:
            names.append(f"short{len(names)}")
            supervisor.start(names[-1], short)
            wait_for(lambda: supervisor.find(names[-1])["state"] == "done", BESIDE_S)
        time.sleep(4)  # two scrapes and a poll of the exporter
        series = {labels["session"] for labels, _ in query('{__name__=~"decoderd_.*", session!=""}')}
        seen = {labels["session"] for labels, _ in query("max_over_time(decoderd_ticks_total[10m])")}
        ticks = {labels["session"]: value for labels, value in query("max_over_time(decoderd_ticks_total[10m])")}
        failed = query("count_over_time((up == 0)[10m:1s])")
        states = {labels["state"]: value for labels, value in query("decoderd_sessions")}
    with capsys.disabled():
        print(f"\npromtool {checked.returncode}; {len(names)} sessions came and went; now {series}; ticks {ticks}")
    assert (checked.returncode, checked.stdout + checked.stderr) == (0, "")
    assert series == {"stays"}
    assert seen >= {"stays"}
    assert len(seen) > len(names) // 2  # a short one may end between two scrapes
    assert not failed
    assert states["done"] == len(names)
    assert states["running"] == 1


@pytest.mark.campaign
def test_a_stopped_exporter_makes_no_tick_late(tmp_path, capsys):
    data = lasting(60.0, tick_s=0.005, bin_ticks=4, population={"kind": "tuned", "units": 100})
    found = {}
    for name in ("alone", "beside"):
        (tmp_path / name).mkdir()
        with served(tmp_path / name, data, "--json") as (control, _, one), Session(control) as session:
            if name == "beside":
                with exporter("--control", control) as (exporting, _):
                    exporting.send_signal(signal.SIGSTOP)
                    time.sleep(30)
                    exporting.send_signal(signal.SIGCONT)
                    wait_for(lambda: session.health()["state"] == "done", 60 + BESIDE_S)
            wait_for(lambda: session.health()["state"] == "done", 60 + BESIDE_S)
            one.send_signal(signal.SIGTERM)
            found[name] = json.loads(one.stdout.readlines()[-1])
    with capsys.disabled():
        print("\n" + "\n".join(f"{name}: {summary['lateness']}" for name, summary in found.items()))
    assert found["alone"]["digest"] == found["beside"]["digest"]
    # What else the machine does makes ticks late in both, and differs: a thousandth of the ticks is left for it.
    missed = {name: summary["lateness"]["missed"] for name, summary in found.items()}
    assert missed["beside"] <= missed["alone"] + found["beside"]["ticks"] / 1000
