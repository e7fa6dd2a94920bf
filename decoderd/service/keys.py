"""The folder of keys: CURVE keys, one pair for each client, in pyzmq's certificate files.

    DIR/server.key_secret    the server's pair
    DIR/server.key           its public key, for clients
    DIR/observers/*.key      public keys of clients that may observe
    DIR/controllers/*.key    public keys of clients that may also control
    DIR/clients/*.key_secret pairs made for clients, to be copied to them

Nobody but root and the user of the service may be able to change any of them (see `permissions`).
"""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, NamedTuple

import zmq
from zmq.auth import load_certificate

from decoderd.errors import ServiceError, Shortage
from decoderd.service import permissions
from decoderd.service.permissions import FOLDER, PUBLIC, SECRET

Role = Literal["observer", "controller"]
# A key that stands in both is an observer's.
FOLDERS: dict[Role, str] = {"observer": "observers", "controller": "controllers"}
PAIRS = "clients"
SERVER, SERVER_PUBLIC = "server.key_secret", "server.key"


@dataclass(frozen=True)
class Keys:
    """The server's pair and the clients' roles by public key. Keys are Z85 text, 40 bytes."""

    directory: Path
    public: bytes
    secret: bytes = field(repr=False)
    roles: dict[bytes, Role]

    @classmethod
    def load(cls, directory: Path) -> Keys:
        """The keys of a folder. Raises ServiceError for what is missing, unreadable, exposed or contradictory."""
        public, secret = _pair(directory)
        clients = read_clients(directory)
        if clients.faults:
            raise ServiceError(clients.faults[0])
        return cls(directory, public, secret, clients.roles)

    def connect_as_server(self, socket: zmq.Socket[Any]) -> None:
        """Give a socket that will connect the server's own pair: so a supervisor asks its sessions for their health.

        Gates with the same pair admit it, as an observer.
        """
        socket.setsockopt(zmq.CURVE_PUBLICKEY, self.public)
        socket.setsockopt(zmq.CURVE_SECRETKEY, self.secret)
        socket.setsockopt(zmq.CURVE_SERVERKEY, self.public)


class Clients(NamedTuple):
    """The clients whose keys are in order, with their roles, and what is wrong with the others."""

    roles: dict[bytes, Role]
    faults: list[str]


def read_clients(directory: Path) -> Clients:
    """The clients of a folder of keys. What is wrong with a file or a folder excludes the clients in it, not others.

    A pair that others may read excludes its client as well: its public key no longer says who has connected. Raises
    Shortage if the folder cannot be read now, for want of descriptors or memory.
    """
    roles: dict[bytes, Role] = {}
    faults: list[str] = []
    try:
        _check_shared(directory)
    except (ServiceError, OSError) as error:
        return Clients({}, [_reason(error)])
    for role, folder in FOLDERS.items():
        try:
            files = _certificates(directory / folder)
        except (ServiceError, OSError) as error:
            faults.append(_reason(error))
            continue
        for file in files:
            try:
                permissions.check(file, PUBLIC)
                key, _ = _read(file)
            except (ServiceError, OSError) as error:
                faults.append(_reason(error))
                continue
            if roles.setdefault(key, role) != role:
                faults.append(f"{file}: this key stands under {FOLDERS[roles[key]]} too; remove one of them")
    for pair in sorted((directory / PAIRS).glob("*.key_secret")):
        try:
            permissions.check(pair, SECRET)
        except (ServiceError, OSError) as error:
            faults.append(_reason(error))
            roles.pop(_read(pair)[0], None)
    return Clients(roles, faults)


def marks(directory: Path) -> tuple[Any, ...]:
    """Values that differ after any change of the keys: of a file, of a folder, of who may write either.

    Raises Shortage, as `read_clients`.
    """
    return tuple(_mark(path) for path in _parts(directory)) + tuple(
        _mark(parent)[:3] for parent in Path(os.path.realpath(directory)).parents
    )


def make_keys(directory: Path) -> Path:
    """Make a folder of keys with a new pair for the server; return the file of its public key, for clients.

    Raises ServiceError if the folder has keys already or cannot be written.
    """
    public, secret = zmq.curve_keypair()
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        for name in (*FOLDERS.values(), PAIRS):
            (directory / name).mkdir(mode=0o700, exist_ok=True)
        _write(directory / SERVER, public, secret)
        (directory / SERVER_PUBLIC).unlink(missing_ok=True)
        _write(directory / SERVER_PUBLIC, public)
    except FileExistsError as error:
        raise ServiceError(
            f"{error.filename}: exists, and clients connect with that key. For new keys choose a new folder"
        ) from None
    except OSError as error:
        raise ServiceError(f"{error.filename}: cannot be written: {error.strerror}") from None
    return directory / SERVER_PUBLIC


def add_client(directory: Path, name: str, role: Role) -> Path:
    """Make a pair for a client and admit it; return the secret file that the client needs, and no other client.

    That file also holds the server's public key, as `server-key` in its metadata.
    Raises ServiceError if there is a client of this name, or the folder has no keys or cannot be written.
    """
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}", name):
        raise ServiceError(f"{name!r} is no name for a client: letters, digits and _ . - (at most 64, no sign first)")
    server, _ = _pair(directory)
    for folder in FOLDERS.values():
        if (directory / folder / f"{name}.key").exists():
            raise ServiceError(f"{directory / folder / name}.key: there is a client of this name; take another")
    public, secret = zmq.curve_keypair()
    pair = directory / PAIRS / f"{name}.key_secret"
    try:
        pair.parent.mkdir(mode=0o700, exist_ok=True)
        _write(pair, public, secret, {"name": name, "role": role, "server-key": server.decode()})
        _write(directory / FOLDERS[role] / f"{name}.key", public)
    except FileExistsError as error:
        raise ServiceError(f"{error.filename}: exists; remove it, or take another name") from None
    except OSError as error:
        raise ServiceError(f"{error.filename}: cannot be written: {error.strerror}") from None
    return pair


def _check_shared(directory: Path) -> None:
    """Check what all clients depend on: the folder, the server's files, and the folder of pairs that were made here."""
    permissions.check(directory, FOLDER)
    permissions.check(directory / SERVER, SECRET)
    for path, rule in ((directory / SERVER_PUBLIC, PUBLIC), (directory / PAIRS, FOLDER)):
        if path.exists():
            permissions.check(path, rule)


def _certificates(folder: Path) -> list[Path]:
    """The public certificates of a folder."""
    if not folder.is_dir():
        raise ServiceError(f"{folder}: no such folder; an empty one means that there are no {folder.name}")
    permissions.check(folder, FOLDER)
    return sorted(file for file in folder.iterdir() if file.suffix == ".key")


def _pair(directory: Path) -> tuple[bytes, bytes]:
    """The server's public and secret key."""
    file = directory / SERVER
    try:
        if not directory.is_dir():
            raise ServiceError(f"{directory}: no such folder of keys; `decoderd keys {directory}` makes one")
        if not file.exists():
            raise ServiceError(f"{file}: missing; `decoderd keys {directory}` makes it")
        public, secret = _read(file)
    except OSError as error:
        raise ServiceError(_reason(error)) from None
    if secret is None:
        raise ServiceError(f'{file}: it holds no line secret-key = "..."')
    try:
        if zmq.curve_public(secret) == public:
            return public, secret
    except zmq.ZMQError:  # no key at all
        pass
    raise ServiceError(f"{file}: the public key is not that of the secret one; a new folder of keys is needed")


def _read(file: Path) -> tuple[bytes, bytes | None]:
    """The public and the secret key of a certificate; None if it holds no secret one."""
    if not file.is_file():  # reading a pipe would wait for a writer
        raise ServiceError(f"{file}: is not a regular file")
    try:
        public, secret = load_certificate(file)
    except (ValueError, IndexError):
        raise ServiceError(f'{file}: no certificate: it holds no line public-key = "..."') from None
    for kind, key in (("public", public), ("secret", secret)):
        if key is not None and not re.fullmatch(rb"[0-9a-zA-Z.\-:+=^!/*?&<>()\[\]{}@%$#]{40}", key):
            raise ServiceError(f"{file}: the {kind} key is not 40 characters of Z85")
    return public, secret


def _write(file: Path, public: bytes, secret: bytes | None = None, metadata: dict[str, str] | None = None) -> None:
    """Write a certificate that is not there yet; from its first byte on a secret is its owner's only."""
    kind = "public" if secret is None else "secret"
    lines = [f"#   decoderd: CURVE {kind} certificate (ZPL, as pyzmq's)", "", "metadata"]
    lines += [f'    {name} = "{value}"' for name, value in (metadata or {}).items()]
    lines += ["curve", f'    public-key = "{public.decode()}"']
    lines += [f'    secret-key = "{secret.decode()}"'] if secret is not None else []
    handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644 if secret is None else 0o600)
    with os.fdopen(handle, "w", encoding="ascii") as stream:
        stream.write("\n".join(lines) + "\n")


def _parts(directory: Path) -> Iterator[Path]:
    """The files and folders that keys are read from, and those beside them that are examined."""
    yield from (directory, directory / SERVER, directory / SERVER_PUBLIC)
    for folder in (*FOLDERS.values(), PAIRS):
        yield directory / folder
        try:
            names = os.listdir(directory / folder)
        except OSError as error:
            _reason(error)
            continue
        yield from (directory / folder / name for name in sorted(names))


def _mark(path: Path) -> tuple[Any, ...]:
    try:
        found = path.stat()
    except OSError as error:
        return (str(path), error.errno)
    return (found.st_ino, found.st_mode, found.st_uid, str(path), found.st_size, found.st_mtime_ns, found.st_ctime_ns)


def _reason(error: ServiceError | OSError) -> str:
    """What is wrong with the keys, in words. Raises Shortage for an error that says nothing about them."""
    if isinstance(error, OSError) and error.errno in (errno.EMFILE, errno.ENFILE, errno.ENOMEM):
        raise Shortage(f"the keys cannot be read now: {error.strerror}") from None
    if isinstance(error, OSError) and error.filename is not None:
        return f"{error.filename}: cannot be read: {error.strerror}"
    return str(error)
