"""Endpoints: what may be bound, and what is said of those that may not or cannot."""

from __future__ import annotations

import socket as sockets

import pytest
import zmq

from decoderd.errors import ServiceError
from decoderd.service import endpoints

HERE = "tcp://127.0.0.1:*"


@pytest.fixture
def context():
    with zmq.Context() as found:
        yield found


@pytest.fixture
def router(context):
    with context.socket(zmq.ROUTER) as found:
        yield found


def has_ipv6():
    try:
        with sockets.socket(sockets.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True


needs_ipv6 = pytest.mark.skipif(not has_ipv6(), reason="this machine has no IPv6 loopback")


def resolving(monkeypatch, table):
    """Host names mean what `table` says, and others nothing."""

    def found(host, *_, **__):
        if host not in table:
            raise sockets.gaierror(sockets.EAI_NONAME, "Name or service not known")
        return [(0, 0, 0, "", (address, 0)) for address in table[host]]

    monkeypatch.setattr(endpoints.sockets, "getaddrinfo", found)


# --- what may be bound ------------------------------------------------------------------------------------------

LOOPBACK = [
    "tcp://127.0.0.1:5570",
    "tcp://127.0.0.1:*",
    "tcp://127.1.2.3:65535",
    "tcp://localhost:1",
    "tcp://[::1]:5570",
    "ipc:///run/decoderd/control",
    "ipc://@decoderd",
]
OPEN = [
    "tcp://*:5570",
    "tcp://0.0.0.0:5570",
    "tcp://192.0.2.7:5570",
    "tcp://128.0.0.1:*",
    "tcp://0:5570",
    "tcp://[::]:*",
    "tcp://[2001:db8::1]:5570",
    "tcp://[fe80::1%eth0]:5570",
]


@pytest.mark.parametrize("endpoint", LOOPBACK)
@pytest.mark.parametrize("keys", [False, True])
def test_loopback_needs_no_keys(endpoint, keys):
    endpoints.check(endpoint, keys)


@pytest.mark.parametrize("endpoint", OPEN)
def test_any_other_address_needs_keys(endpoint):
    endpoints.check(endpoint, keys=True)
    with pytest.raises(ServiceError, match=r"other machines.*--keys"):
        endpoints.check(endpoint, keys=False)


def test_a_name_is_judged_by_its_address(monkeypatch):
    resolving(monkeypatch, {"rig": ["192.0.2.7"], "here": ["::1", "127.0.0.1"], "both": ["2001:db8::1", "192.0.2.7"]})
    endpoints.check("tcp://here:5570", keys=False)
    assert endpoints.resolve("tcp://here:5570").endpoint == "tcp://127.0.0.1:5570"
    assert endpoints.resolve("tcp://both:5570").endpoint == "tcp://192.0.2.7:5570"
    with pytest.raises(ServiceError, match="other machines"):
        endpoints.check("tcp://rig:5570", keys=False)


def test_what_was_judged_is_what_is_bound(monkeypatch, router):
    """A name that means another address when libzmq asks would get round the judgement."""
    resolving(monkeypatch, {"rig": ["127.0.0.1"]})  # libzmq could not resolve it at all
    assert endpoints.bind(router, "tcp://rig:*").startswith("tcp://127.0.0.1:")


@pytest.mark.parametrize("endpoint", ["tcp://192.0.2.7:*", "tcp://*:*", "tcp://0.0.0.0:*"])
def test_a_socket_without_curve_is_never_bound_outside(router, endpoint):
    with pytest.raises(ServiceError, match="other machines"):
        endpoints.bind(router, endpoint)
    assert not router.last_endpoint


def test_a_socket_with_curve_may_be(router):
    router.curve_publickey, router.curve_secretkey = zmq.curve_keypair()
    router.curve_server = True
    with pytest.raises(ServiceError, match="no such address"):  # permitted; but this address is for documentation
        endpoints.bind(router, "tcp://192.0.2.7:*")


# --- malformed --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("endpoint", "message"),
    [
        ("", "tcp://HOST:PORT"),
        ("127.0.0.1:5570", "tcp://HOST:PORT"),
        ("tcp://127.0.0.1", "tcp://HOST:PORT"),
        ("tcp:/127.0.0.1:5570", "tcp://HOST:PORT"),
        ("TCP://127.0.0.1:5570", "tcp://HOST:PORT"),
        ("udp://127.0.0.1:5570", "tcp://HOST:PORT"),
        ("inproc://control", "tcp://HOST:PORT"),
        ("pgm://127.0.0.1:5570", "tcp://HOST:PORT"),
        ("tcp://::1:5570", r"brackets: tcp://\[::1\]"),
        ("tcp://[::1:5570", "tcp://HOST:PORT"),
        ("tcp://:5570", "no host"),
        ("tcp://[]:5570", "no host"),
        ("tcp://127.0.0.1:", "no whole number"),
        ("tcp://127.0.0.1:http", "no whole number"),
        ("tcp://127.0.0.1:-1", "no whole number"),
        ("tcp://127.0.0.1:55 70", "no whole number"),
        ("tcp://127.0.0.1:٥٥", "no whole number"),
        ("tcp://127.0.0.1:5570\n", "no whole number"),
        ("tcp://127.0.0.1:0", "out of range"),
        ("tcp://127.0.0.1:65536", "out of range"),
        ("tcp://127.0.0.1;127.0.0.1:5570", "does not resolve"),
        ("tcp://no-such-host:5570", "does not resolve"),
        ("tcp://300.0.0.1:5570", "does not resolve"),
        ("ipc://", "whole one"),
        ("ipc://*", "whole one"),
        ("ipc://run/control", "whole one"),
        ("ipc:///run/a\0b", "whole one"),
        ("ipc://@", "whole one"),
        ("ipc:///" + "x" * 107, "108 bytes"),
    ],
)
def test_errors_name_a_malformed_endpoint(monkeypatch, router, endpoint, message):
    resolving(monkeypatch, {})
    with pytest.raises(ServiceError, match=message):
        endpoints.check(endpoint, keys=True)
    with pytest.raises(ServiceError, match=message):
        endpoints.bind(router, endpoint)


@pytest.mark.parametrize("host", ["x" * 70, "ü" * 70, "a..b", "a\0b", "127.0.0.1 "])
def test_names_that_no_host_can_have(host):
    with pytest.raises(ServiceError, match="does not resolve"):
        endpoints.check(f"tcp://{host}:5570", keys=True)


# --- binding ----------------------------------------------------------------------------------------------------


def talk(context, router, endpoint):
    """A message got through."""
    with context.socket(zmq.DEALER) as dealer:
        dealer.setsockopt(zmq.IPV6, 1)
        dealer.connect(endpoint)
        dealer.send(b"hello")
        assert router.poll(5000)
        assert router.recv_multipart()[1] == b"hello"


@pytest.mark.parametrize("endpoint", [HERE, "tcp://localhost:*", pytest.param("tcp://[::1]:*", marks=needs_ipv6)])
def test_a_free_port_is_found_and_returned(context, router, endpoint):
    found = endpoints.bind(router, endpoint)
    assert 1 <= int(found.rpartition(":")[2]) <= 65535
    endpoints.check(found, keys=False)
    talk(context, router, found)


def test_a_given_port_is_taken(router):
    with sockets.create_server(("127.0.0.1", 0)) as other:
        free = f"tcp://127.0.0.1:{other.getsockname()[1]}"
    assert endpoints.bind(router, free) == free


@pytest.mark.parametrize("held", ["tcp", "plain"])
def test_a_port_in_use_is_an_error(context, router, held):
    with context.socket(zmq.PUB) as other, sockets.create_server(("127.0.0.1", 0)) as plain:
        taken = endpoints.bind(other, HERE) if held == "tcp" else f"tcp://127.0.0.1:{plain.getsockname()[1]}"
        with pytest.raises(ServiceError, match=r"port is in use.*another port"):
            endpoints.bind(router, taken)


def test_a_unix_socket_in_use_is_not_taken_over(context, router, tmp_path):
    endpoint = f"ipc://{tmp_path}/control"
    with context.socket(zmq.ROUTER) as other:
        assert endpoints.bind(other, endpoint) == endpoint
        with pytest.raises(ServiceError, match=r"in use.*another path"):
            endpoints.bind(router, endpoint)
        talk(context, other, endpoint)


def test_a_unix_socket_left_behind_is_replaced(context, router, tmp_path):
    left = sockets.socket(sockets.AF_UNIX)
    left.bind(str(tmp_path / "control"))
    left.close()
    talk(context, router, endpoints.bind(router, f"ipc://{tmp_path}/control"))


def test_a_file_is_not_deleted_for_a_socket(router, tmp_path):
    (tmp_path / "notes").write_text("precious")
    with pytest.raises(ServiceError, match="no socket"):
        endpoints.bind(router, f"ipc://{tmp_path}/notes")
    assert (tmp_path / "notes").read_text() == "precious"


def test_a_missing_folder_is_an_error(router, tmp_path):
    with pytest.raises(ServiceError, match="folder of the path does not exist"):
        endpoints.bind(router, f"ipc://{tmp_path}/nowhere/control")


def test_a_name_outside_the_file_system(context, router, tmp_path):
    endpoint = f"ipc://@{tmp_path.name}"
    assert endpoints.bind(router, endpoint) == endpoint
    talk(context, router, endpoint)


@pytest.mark.parametrize(
    ("code", "message"), [(zmq.EADDRINUSE, "in use"), (13, "no permission"), (99, "no such address")]
)
def test_errors_of_libzmq_are_explained(monkeypatch, router, code, message):
    def fails(_, __):
        raise zmq.ZMQError(code)

    monkeypatch.setattr(zmq.Socket, "bind", fails)
    with pytest.raises(ServiceError, match=rf"^tcp://127.0.0.1:80: .*{message}"):
        endpoints.bind(router, "tcp://127.0.0.1:80")
