"""Endpoints of sockets: tcp://HOST:PORT, tcp://HOST:* (any free port), ipc://PATH. Only loopback without keys."""

from __future__ import annotations

import errno
import ipaddress
import os
import re
import socket as sockets
import stat
from typing import NamedTuple

import zmq

from decoderd.errors import ServiceError

FORMS = "tcp://HOST:PORT, tcp://HOST:* for any free port, or ipc://PATH"
# The longest path that a Unix socket can have on Linux.
PATH_BYTES = 107


class Place(NamedTuple):
    """An endpoint with its host name resolved. `loopback`: it cannot be reached from another machine."""

    endpoint: str
    loopback: bool
    path: str | None = None  # of a Unix socket in the file system
    ipv6: bool = False


def check(endpoint: str, keys: bool) -> None:
    """Raise ServiceError unless the endpoint is well formed, and is loopback or guarded by keys."""
    _permit(endpoint, resolve(endpoint), keys)


def bind(socket: zmq.Socket, endpoint: str) -> str:
    """Bind the socket and return the endpoint that it got.

    A socket that is no CURVE server can only be bound to loopback. Raises ServiceError.
    """
    place = resolve(endpoint)
    _permit(endpoint, place, bool(socket.getsockopt(zmq.CURVE_SERVER)))
    if place.path is not None:
        _check_unused(endpoint, place.path)
    if place.ipv6:
        socket.setsockopt(zmq.IPV6, 1)
    try:
        socket.bind(place.endpoint)
    except zmq.ZMQError as error:
        raise ServiceError(f"{endpoint}: {_why(error)}") from None
    return socket.get_string(zmq.LAST_ENDPOINT)


def resolve(endpoint: str) -> Place:
    """Resolve the host of an endpoint. Raises ServiceError if the endpoint is malformed or its host has no address."""
    if endpoint.startswith("ipc://"):
        return _ipc(endpoint, endpoint.removeprefix("ipc://"))
    parts = re.fullmatch(r"tcp://(?:\[([^\[\]]*)\]|([^\[\]:]*)):([^:]*)", endpoint)
    if parts is None:
        hint = "; an IPv6 address stands in brackets: tcp://[::1]:5570" if endpoint.count(":") > 2 else ""
        raise ServiceError(f"{endpoint!r} is no endpoint: right is {FORMS}{hint}")
    bracketed, plain, port = parts.groups()
    _check_port(endpoint, port)
    if bracketed is None and plain == "*":
        return Place(endpoint, loopback=False)
    if not (bracketed or plain):
        raise ServiceError(f"{endpoint!r} has no host: right is {FORMS}, such as tcp://127.0.0.1:{port}")
    address = _address(endpoint, bracketed or plain)
    ipv6 = address.version == 6
    host = f"[{address}]" if ipv6 else str(address)
    return Place(f"tcp://{host}:{port}", address.is_loopback, ipv6=ipv6)


def _permit(endpoint: str, place: Place, keys: bool) -> None:
    if not place.loopback and not keys:
        raise ServiceError(
            f"{endpoint} can be reached from other machines, whose programs could control the session: give keys "
            f"(--keys DIR; `decoderd keys DIR` makes them), or bind to loopback, such as tcp://127.0.0.1:*"
        )


def _check_port(endpoint: str, port: str) -> None:
    if port == "*":
        return
    if not re.fullmatch(r"[0-9]{1,9}", port):
        raise ServiceError(f"{endpoint!r}: port {port!r} is no whole number: 1 to 65535, or * for any free one")
    if not 1 <= int(port) <= 65535:
        raise ServiceError(f"{endpoint}: port {port} is out of range: 1 to 65535, or * for any free one")


def _address(endpoint: str, host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    """The address of a host, IPv4 if there is a choice. Resolved here: the address checked is the one bound."""
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        pass
    try:
        found = sockets.getaddrinfo(host, None, type=sockets.SOCK_STREAM)
        addresses = sorted((ipaddress.ip_address(one[4][0]) for one in found), key=lambda address: address.version)
        return addresses[0]
    except (OSError, ValueError, IndexError):  # a ValueError is a name that no host can have
        raise ServiceError(
            f"{endpoint!r}: host {host!r} is no address and does not resolve to one: give an address of this machine, "
            f"such as 127.0.0.1"
        ) from None


def _ipc(endpoint: str, path: str) -> Place:
    """The place of ipc://PATH; a name that begins with @ is outside the file system."""
    if path[:1] not in ("/", "@") or len(path) < 2 or "\0" in path:
        raise ServiceError(f"{endpoint!r}: the path must be a whole one, such as ipc:///run/decoderd/control")
    length = len(os.fsencode(path))
    if length > PATH_BYTES:
        raise ServiceError(f"{endpoint}: the path has {length} bytes, and a socket's at most {PATH_BYTES}")
    return Place(endpoint, loopback=True, path=path if path.startswith("/") else None)


def _check_unused(endpoint: str, path: str) -> None:
    """Raise ServiceError if there is something at the path: libzmq would delete it unasked, in use or not."""
    try:
        mode = os.stat(path).st_mode
    except OSError:
        return
    if not stat.S_ISSOCK(mode):
        raise ServiceError(f"{endpoint}: there is something at this path that is no socket: choose another path")
    with sockets.socket(sockets.AF_UNIX, sockets.SOCK_STREAM) as caller:
        caller.settimeout(1.0)
        try:
            caller.connect(path)
        except OSError:
            return  # left behind by a process that has ended
    raise ServiceError(f"{endpoint}: in use; is decoderd running already? End that, or choose another path")


def _why(error: zmq.ZMQError) -> str:
    match error.errno:
        case errno.EADDRINUSE:
            return (
                "the port is in use; is decoderd running already? End that, or choose another port (* takes a free one)"
            )
        case errno.EADDRNOTAVAIL | errno.ENODEV:
            return "this machine has no such address; `ip address` lists those it has, and 127.0.0.1 is always there"
        case errno.EACCES | errno.EPERM:
            return "no permission: take a port from 1024 on, or a path in a folder that you may write to"
        case errno.ENOENT | errno.ENOTDIR:
            return "the folder of the path does not exist: make it first"
    return f"cannot be bound: {error.strerror}"
