"""The exporter beside a real daemon, whose sessions come and go."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import sys
import urllib.request
from contextlib import contextmanager

import pytest
from pydantic import ValidationError

pytest.importorskip("prometheus_client")

from decoderd.extras import MissingExtra
from decoderd_client.plugins import Unable, installed
from decoderd_plugins.prometheus import PROMETHEUS, Config, address_of, exporter
from tests.protocols import lasting
from tests.running import TIMEOUT_S, environment, record, stored
from tests.service.serving import asking, daemon, wait_for

HOUR = lasting(3600.0)


@contextmanager
def exporting(*options):
    """`decoderd-client run prometheus`; gives a function that scrapes it, and the process."""
    words = [sys.executable, "-m", "decoderd_client", "run", "prometheus", "--listen", "127.0.0.1:0", *options]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment())
    try:
        address = re.fullmatch(r"metrics at (\S+)\n", process.stdout.readline()).group(1)
        yield (lambda: urllib.request.urlopen(address, timeout=20).read().decode()), process
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate(timeout=TIMEOUT_S)


def value(text, line):
    found = re.search(rf"^{re.escape(line)} (\S+)$", text, re.MULTILINE)
    return None if found is None else float(found.group(1))


def test_sessions_come_and_go_and_are_unchanged(tmp_path):
    assert installed()["prometheus"] is PROMETHEUS
    data = lasting(6.0)
    record(tmp_path / "alone", data, name="a")
    (tmp_path / "data").mkdir()
    with (
        daemon(tmp_path / "data") as one,
        asking(one) as supervisor,
        exporting("--supervisor", one.control) as (scrape, process),
    ):
        assert value(scrape(), "decoderd_up") == 1
        supervisor.start("a", data, speed="10")
        supervisor.start("b", HOUR)
        wait_for(lambda: (value(scrape(), 'decoderd_ticks_total{session="b"}') or 0) > 0, TIMEOUT_S)
        wait_for(
            lambda: (value(scrape(), 'decoderd_sessions{state="running"}') or 0) >= 1, TIMEOUT_S
        )  # it asks once a second
        found = scrape()
        assert value(found, 'decoderd_day{session="b"}') == 1
        ticks = value(found, 'decoderd_ticks_total{session="b"}')
        assert value(found, 'decoderd_tick_lateness_seconds_count{session="b"}') == ticks
        supervisor.stop("b")
        wait_for(lambda: 'session="' not in scrape(), TIMEOUT_S)
        ended = {'decoderd_sessions{state="stopped"}', 'decoderd_sessions{state="done"}'}
        wait_for(lambda: all(value(scrape(), one) == 1 for one in ended), TIMEOUT_S)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=TIMEOUT_S)
        assert (process.returncode, err) == (0, "")
        assert out.splitlines()[-1] == "interrupted"
    assert stored(tmp_path / "data" / "a") == stored(tmp_path / "alone")


def test_an_address_that_is_taken_is_reported():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        listen = f"127.0.0.1:{taken.getsockname()[1]}"
        answering = exporter._answering(exporter.Figured(), Config(listen=listen), print)
        with pytest.raises(Unable, match=f"--listen {listen}: Address already in use: give another"), answering:
            pass


def test_a_missing_extra_is_reported(monkeypatch):
    monkeypatch.setitem(sys.modules, "prometheus_client", None)  # an import of it fails
    with pytest.raises(MissingExtra, match=r"pip install 'decoderd\[metrics\]'"):
        PROMETHEUS.supervised(None, Config(), print)


@pytest.mark.parametrize(
    ("listen", "expected"),
    [("127.0.0.1:9570", ("127.0.0.1", 9570)), ("[::1]:0", ("::1", 0)), ("host:80", ("host", 80))],
)
def test_addresses(listen, expected):
    assert address_of(listen) == expected


@pytest.mark.parametrize("listen", [9570, "9570", "127.0.0.1", ":9570", "127.0.0.1:x", "127.0.0.1:70000"])
def test_wrong_addresses_are_refused(listen):
    with pytest.raises(ValidationError, match="write HOST:PORT"):
        Config(listen=listen)
