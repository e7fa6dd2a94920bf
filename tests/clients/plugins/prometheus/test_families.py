"""The metrics as text: what Prometheus reads, and that the dashboard and the page name no others."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

pytest.importorskip("prometheus_client")

import prometheus_client

from decoderd.wire.replies import STATES
from decoderd_plugins.prometheus import families
from decoderd_plugins.prometheus.figures import Figures
from tests.clients.plugins import building

ROOT = Path(__file__).resolve().parents[4]
DASHBOARD = ROOT / "clients" / "decoderd_plugins" / "prometheus" / "grafana.json"
PAGE = ROOT / "docs" / "how-to" / "watch-with-prometheus.md"


def text(sessions, daemon=None):
    class Given:
        def collect(self):
            yield from families.session_families(sessions)
            if daemon is not None:
                yield from families.daemon_families(daemon)

    registry = prometheus_client.CollectorRegistry()
    registry.register(Given())
    return prometheus_client.generate_latest(registry).decode()


def figures():
    found = Figures({"tick": 100, "day": 2, "days": 5})
    found.receive(building.trial(8, 130))
    return found


def test_metrics_of_a_session_have_its_name():
    lines = text({"a": figures(), "b": Figures({"tick": 0, "day": 1, "days": 1})}).splitlines()
    for line in (
        'decoderd_tick{session="a"} 100.0',
        'decoderd_day{session="a"} 2.0',
        'decoderd_last_day{session="a"} 5.0',
        'decoderd_trials_total{outcome="success",session="a"} 1.0',
        'decoderd_ticks_total{session="b"} 0.0',
        'decoderd_missed_deadlines_total{session="b"} 0.0',
        'decoderd_tick_lateness_seconds_bucket{le="+Inf",session="b"} 0.0',
        'decoderd_tick_duration_seconds_count{session="b"} 0.0',
    ):
        assert line in lines


def test_a_session_that_has_gone_leaves_nothing():
    sessions = {"a": figures(), "b": figures()}
    assert 'session="b"' in text(sessions)
    del sessions["b"]
    assert 'session="b"' not in text(sessions)


def test_sessions_by_state_have_every_state():
    lines = text({}, families.Daemon(True, {"running": 2}, 3)).splitlines()
    assert {re.search('state="(.*)"', line)[1] for line in lines if line.startswith("decoderd_sessions{")} == set(
        STATES
    )
    assert 'decoderd_sessions{state="running"} 2.0' in lines
    assert 'decoderd_sessions{state="failed"} 0.0' in lines
    assert "decoderd_up 1.0" in lines
    assert "decoderd_restarts_total 3.0" in lines


def test_of_a_daemon_that_does_not_answer_only_that_is_known():
    found = text({}, families.Daemon(False, {"running": 2}, 3))
    assert "decoderd_up 0.0" in found
    assert "decoderd_sessions" not in found


def names():
    found = text({"a": figures()}, families.Daemon(True, {}, 0))
    return set(re.findall(r"^(decoderd_\w+?)(?:\{| )", found, re.MULTILINE))


def test_the_dashboard_asks_for_metrics_that_there_are():
    dashboard = json.loads(DASHBOARD.read_text())
    asked = [target["expr"] for panel in dashboard["panels"] for target in panel.get("targets", ())]
    used = {name for query in asked for name in re.findall(r"decoderd_\w+", query)}
    assert used
    assert used <= names()
    assert len({panel["id"] for panel in dashboard["panels"]}) == len(dashboard["panels"])


def test_the_page_lists_every_metric():
    base = {re.sub("_(bucket|count|sum|created)$", "", name) for name in names()}
    assert base == set(re.findall(r"^\| `(decoderd_\w+)`", PAGE.read_text(), re.MULTILINE))
