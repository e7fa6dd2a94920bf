"""Which requests the dashboard answers, by Host, Origin and token."""

import pytest

pytest.importorskip("websockets")

from websockets.datastructures import Headers

from decoderd_plugins.dashboard.admission import Admission

HERE = ("Host", "127.0.0.1:8765")


def refused(*headers, path="/stream", token=None):
    found = Admission(8765, token).refusal(path, Headers(headers))
    return None if found is None else int(found.status)


@pytest.mark.parametrize("host", ["127.0.0.1:8765", "localhost:8765"])
def test_loopback_names_with_the_port_are_answered(host):
    assert refused(("Host", host)) is None
    assert refused(("Host", host), ("Origin", f"http://{host}")) is None


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "127.0.0.1:8766", "localhost", "attacker.example:8765", "127.0.0.1.attacker.example:8765", ""],
)
def test_other_hosts_are_refused(host):
    assert refused(("Host", host)) == 421
    assert refused(("Host", host), path="/") == 421


def test_a_request_without_a_host_or_with_two_is_refused():
    assert refused() == 421
    assert refused(HERE, ("Host", "attacker.example")) == 421


@pytest.mark.parametrize(
    "origin",
    ["http://attacker.example", "https://127.0.0.1:8765", "http://127.0.0.1", "http://127.0.0.1:8766", "null", ""],
)
def test_other_origins_are_refused(origin):
    assert refused(HERE, ("Origin", origin)) == 403


def test_a_token_is_needed_for_the_stream_alone():
    assert refused(HERE, token="secret") == 403
    assert refused(HERE, path="/stream?token=secreT", token="secret") == 403
    assert refused(HERE, path="/stream?token=%C3%A9", token="secret") == 403
    assert refused(HERE, path="/stream?token=secret", token="secret") is None
    assert refused(HERE, path="/style.css", token="secret") is None
