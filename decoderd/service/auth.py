"""Keys and roles of clients: CURVE keys, one pair for each client, in a folder of pyzmq's certificate files.

    DIR/server.key_secret    the server's pair
    DIR/server.key           its public key, for clients
    DIR/observers/*.key      public keys of clients that may observe
    DIR/controllers/*.key    public keys of clients that may also control
    DIR/clients/*.key_secret pairs made for clients, to be copied to them

Connections are encrypted, and a client whose key is not there gets no answer at all.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import zmq
from zmq.auth import load_certificate
from zmq.auth.thread import ThreadAuthenticator

from decoderd.errors import ServiceError

Role = Literal["observer", "controller"]
FOLDERS: dict[Role, str] = {"observer": "observers", "controller": "controllers"}

# libzmq asks the gate about sockets of this domain, and admits no client where no gate answers.
DOMAIN = b"decoderd"


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
        try:
            if not directory.is_dir():
                raise ServiceError(f"{directory}: no such folder of keys; `decoderd keys {directory}` makes one")
            public, secret = _pair(directory / "server.key_secret")
            roles: dict[bytes, Role] = {}
            for role, folder in FOLDERS.items():
                for file in _certificates(directory / folder):
                    key, _ = _read(file)
                    if roles.setdefault(key, role) != role:
                        raise ServiceError(
                            f"{file}: this key stands under {FOLDERS[roles[key]]} too; remove one of them"
                        )
        except OSError as error:
            raise ServiceError(f"{error.filename}: cannot be read: {error.strerror}") from None
        return cls(directory, public, secret, roles)

    def connect_as_server(self, socket: zmq.Socket) -> None:
        """Give a socket that will connect the server's own pair: so a supervisor asks its sessions for their health.

        Gates with the same pair admit it, as an observer.
        """
        socket.setsockopt(zmq.CURVE_PUBLICKEY, self.public)
        socket.setsockopt(zmq.CURVE_SECRETKEY, self.secret)
        socket.setsockopt(zmq.CURVE_SERVERKEY, self.public)


def make_keys(directory: Path) -> Path:
    """Make a folder of keys with a new pair for the server; return the file of its public key, for clients.

    Raises ServiceError if the folder has keys already or cannot be written.
    """
    public, secret = zmq.curve_keypair()
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        for name in (*FOLDERS.values(), "clients"):
            (directory / name).mkdir(mode=0o700, exist_ok=True)
        _write(directory / "server.key_secret", public, secret)
        (directory / "server.key").unlink(missing_ok=True)
        _write(directory / "server.key", public)
    except FileExistsError as error:
        raise ServiceError(
            f"{error.filename}: exists, and clients connect with that key. For new keys choose a new folder"
        ) from None
    except OSError as error:
        raise ServiceError(f"{error.filename}: cannot be written: {error.strerror}") from None
    return directory / "server.key"


def add_client(directory: Path, name: str, role: Role) -> Path:
    """Make a pair for a client and admit it; return the secret file that the client needs, and no other client.

    That file also holds the server's public key, as `server-key` in its metadata.
    Raises ServiceError if there is a client of this name, or the folder has no keys or cannot be written.
    """
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}", name):
        raise ServiceError(f"{name!r} is no name for a client: letters, digits and _ . - (at most 64, no sign first)")
    server = Keys.load(directory).public
    for folder in FOLDERS.values():
        if (directory / folder / f"{name}.key").exists():
            raise ServiceError(f"{directory / folder / name}.key: there is a client of this name; take another")
    public, secret = zmq.curve_keypair()
    pair = directory / "clients" / f"{name}.key_secret"
    try:
        pair.parent.mkdir(mode=0o700, exist_ok=True)
        _write(pair, public, secret, {"name": name, "role": role, "server-key": server.decode()})
        _write(directory / FOLDERS[role] / f"{name}.key", public)
    except FileExistsError as error:
        raise ServiceError(f"{error.filename}: exists; remove it, or take another name") from None
    except OSError as error:
        raise ServiceError(f"{error.filename}: cannot be written: {error.strerror}") from None
    return pair


class Gate:
    """Admits the clients of a folder of keys to the sockets of a context, and gives their roles.

    When a client connects and the folder has changed, it is read again: a client that was added is admitted, one that
    was removed is refused and, if still connected, may no longer control. One gate for each context; it answers libzmq
    on a thread of its own.
    """

    def __init__(self, context: zmq.Context, keys: Keys) -> None:
        self._keys = keys
        self._seen: tuple[int, ...] = ()
        self._thread = ThreadAuthenticator(context)
        self._thread.start()
        self._thread.configure_curve_callback(DOMAIN.decode(), self)

    def protect(self, socket: zmq.Socket) -> None:
        """Make a socket a CURVE server; before it is bound, since that is when libzmq looks."""
        if socket.last_endpoint:
            raise RuntimeError("a socket must be protected before it is bound")
        socket.setsockopt(zmq.ZAP_DOMAIN, DOMAIN)
        socket.setsockopt(zmq.ZAP_ENFORCE_DOMAIN, 1)
        socket.setsockopt(zmq.CURVE_SECRETKEY, self._keys.secret)
        socket.setsockopt(zmq.CURVE_PUBLICKEY, self._keys.public)
        socket.setsockopt(zmq.CURVE_SERVER, 1)

    def role(self, frame: zmq.Frame) -> Role:
        """The role of the client that sent a frame: observer unless its key is among the controllers."""
        try:
            sender = frame.get("User-Id")
        except zmq.ZMQError:  # a connection that did not pass the gate: one within the process
            return "observer"
        return self._keys.roles.get(str(sender).encode(), "observer")

    def callback(self, domain: str, key: bytes) -> bool:
        """Whether a client with this key may connect; called by the authenticator, on its thread."""
        self._reload()
        return key in self._keys.roles or key == self._keys.public

    def close(self) -> None:
        """Admit no more clients. To be called before the context is ended, which would wait for it."""
        self._thread.stop()

    def _reload(self) -> None:
        changed = _changed(self._keys.directory)
        if changed == self._seen:
            return
        try:
            found = Keys.load(self._keys.directory)
        except (
            Exception
        ):  # a file half written, or bad: the keys read before hold, and the next client starts another try
            return  # any exception would end the authenticator's thread, and no client would be admitted any more
        # The server's own pair stays: sockets that are bound already have it.
        self._keys = Keys(self._keys.directory, self._keys.public, self._keys.secret, found.roles)
        self._seen = changed


def _changed(directory: Path) -> tuple[int, ...]:
    """When files were last added to the folders of clients or removed from them (ns)."""
    try:
        return tuple((directory / folder).stat().st_mtime_ns for folder in FOLDERS.values())
    except OSError:
        return ()


def _certificates(folder: Path) -> list[Path]:
    """The public certificates of a folder."""
    if not folder.is_dir():
        raise ServiceError(f"{folder}: no such folder; an empty one means that there are no {folder.name}")
    if folder.stat().st_mode & 0o002:
        raise ServiceError(f"{folder}: every user of this machine may add keys; right is `chmod 700 {folder}`")
    return sorted(file for file in folder.iterdir() if file.suffix == ".key")


def _pair(file: Path) -> tuple[bytes, bytes]:
    """The server's public and secret key."""
    if not file.exists():
        raise ServiceError(f"{file}: missing; `decoderd keys {file.parent}` makes it")
    public, secret = _read(file)
    if secret is None:
        raise ServiceError(f'{file}: it holds no line secret-key = "..."')
    if file.stat().st_mode & 0o007:
        raise ServiceError(f"{file}: every user of this machine may use it; right is `chmod 600 {file}`")
    try:
        if zmq.curve_public(secret) == public:
            return public, secret
    except zmq.ZMQError:  # no key at all
        pass
    raise ServiceError(f"{file}: the public key is not that of the secret one; a new folder of keys is needed")


def _read(file: Path) -> tuple[bytes, bytes | None]:
    """The public and the secret key of a certificate; None if it holds no secret one."""
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
