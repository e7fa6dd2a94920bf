"""Keys: what their folder must be like, and which clients are admitted, through real sockets."""

from __future__ import annotations

import re
import time
from pathlib import Path

import pytest
import zmq
import zmq.auth

from decoderd.errors import ServiceError
from decoderd.service import auth, endpoints
from decoderd.service.auth import Gate, Keys

HERE = "tcp://127.0.0.1:*"
# Nothing here takes this long; a test that hangs fails.
PATIENCE_S = 30


@pytest.fixture
def folder(tmp_path):
    """Keys of a server with a controller, anna, and an observer, otto."""
    found = tmp_path / "keys"
    auth.make_keys(found)
    auth.add_client(found, "anna", "controller")
    auth.add_client(found, "otto", "observer")
    return found


# --- the folder -------------------------------------------------------------------------------------------------


def test_keys_are_read_back(folder):
    keys = Keys.load(folder)
    assert (keys.public, keys.secret) == zmq.auth.load_certificate(folder / "server.key_secret")
    assert zmq.auth.load_certificate(folder / "server.key") == (keys.public, None)
    anna, secret = zmq.auth.load_certificate(folder / "clients" / "anna.key_secret")
    assert zmq.curve_public(secret) == anna
    assert sorted(keys.roles.values()) == ["controller", "observer"]
    assert keys.roles[anna] == "controller"


def test_keys_that_pyzmq_made_are_read(tmp_path):
    for name in ("observers", "controllers"):
        (tmp_path / name).mkdir()
        zmq.auth.create_certificates(tmp_path / name, "someone")
    zmq.auth.create_certificates(tmp_path, "server")
    (tmp_path / "server.key_secret").chmod(0o600)
    assert sorted(Keys.load(tmp_path).roles.values()) == ["controller", "observer"]


def test_secrets_are_their_owners_only(folder):
    for secret in (folder / "server.key_secret", folder / "clients" / "anna.key_secret"):
        assert secret.stat().st_mode & 0o777 == 0o600
    assert folder.stat().st_mode & 0o777 == 0o700
    assert Keys.load(folder).secret.decode() not in repr(Keys.load(folder))


def test_new_keys_have_no_clients(tmp_path):
    assert auth.make_keys(tmp_path / "a" / "b") == tmp_path / "a" / "b" / "server.key"
    assert Keys.load(tmp_path / "a" / "b").roles == {}


def expose(folder):
    (folder / "server.key_secret").chmod(0o604)


def forget_the_server(folder):
    (folder / "server.key_secret").unlink()


def forget_observers(folder):
    (folder / "observers" / "otto.key").unlink()
    (folder / "observers").rmdir()


def open_controllers(folder):
    (folder / "controllers").chmod(0o777)


def promote(folder):
    (folder / "controllers" / "otto2.key").write_bytes((folder / "observers" / "otto.key").read_bytes())


def unpair(folder):
    file = folder / "server.key_secret"
    file.write_text(re.sub(r'public-key = ".*"', f'public-key = "{zmq.curve_keypair()[0].decode()}"', file.read_text()))


def keep_public_only(folder):
    (folder / "server.key_secret").write_bytes((folder / "server.key").read_bytes())


def overflow(folder):
    file = folder / "server.key_secret"
    file.write_text(re.sub(r'secret-key = ".*"', f'secret-key = "{"#" * 40}"', file.read_text()))


def shorten(folder):
    (folder / "observers" / "otto.key").write_text('curve\n    public-key = "abc"\n')


def scribble(folder):
    (folder / "observers" / "otto.key").write_bytes(b"\xff\xfe no certificate")


def halve(folder):
    (folder / "observers" / "otto.key").write_text("curve\n    public-key")


def put_a_folder(folder):
    (folder / "observers" / "berta.key").mkdir()


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (expose, r"server\.key_secret: every user.*chmod 600"),
        (forget_the_server, r"server\.key_secret: missing; `decoderd keys"),
        (forget_observers, "observers: no such folder; an empty one"),
        (open_controllers, "controllers: every user.*chmod 700"),
        (promote, r"ott.*\.key: this key stands under (observers|controllers) too"),
        (unpair, r"server\.key_secret: the public key is not that of the secret one"),
        (keep_public_only, r"server\.key_secret: it holds no line secret-key"),
        (overflow, r"server\.key_secret: the public key is not that of the secret one"),
        (shorten, r"otto\.key: the public key is not 40 characters"),
        (scribble, r"otto\.key: no certificate"),
        (halve, r"otto\.key: no certificate"),
        (put_a_folder, r"berta\.key: cannot be read: Is a directory"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_errors_name_what_is_wrong_with_the_folder(folder, spoil, message):
    spoil(folder)
    with pytest.raises(ServiceError, match=message):
        Keys.load(folder)


def test_a_missing_folder_is_an_error(tmp_path):
    with pytest.raises(ServiceError, match=r"nowhere: no such folder.*decoderd keys"):
        Keys.load(tmp_path / "nowhere")


def test_an_unreadable_file_is_an_error(folder, monkeypatch):
    def refuses(file):
        raise PermissionError(13, "Permission denied", str(file))

    monkeypatch.setattr(auth, "load_certificate", refuses)
    with pytest.raises(ServiceError, match=r"server\.key_secret: cannot be read: Permission denied"):
        Keys.load(folder)


def test_keys_are_never_overwritten(folder):
    before = {file: file.read_bytes() for file in folder.rglob("*.key*")}
    with pytest.raises(ServiceError, match=r"server\.key_secret: exists"):
        auth.make_keys(folder)
    for role in ("observer", "controller"):
        with pytest.raises(ServiceError, match=r"anna\.key: there is a client of this name"):
            auth.add_client(folder, "anna", role)
    (folder / "controllers" / "anna.key").unlink()
    with pytest.raises(ServiceError, match=r"anna\.key_secret: exists"):
        auth.add_client(folder, "anna", "observer")
    assert {file: file.read_bytes() for file in folder.rglob("*.key*")} == {
        file: data for file, data in before.items() if file.exists()
    }


@pytest.mark.parametrize("name", ["", "../evil", "a/b", ".hidden", "a b", "x" * 65, "anna\n", "ännchen"])
def test_names_that_are_no_names(folder, name):
    with pytest.raises(ServiceError, match="no name for a client"):
        auth.add_client(folder, name, "observer")


def test_a_client_needs_a_server(tmp_path):
    with pytest.raises(ServiceError, match="no such folder"):
        auth.add_client(tmp_path / "nowhere", "anna", "observer")


def test_where_no_folder_can_be_made(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ServiceError, match="cannot be written"):
        auth.make_keys(tmp_path / "file" / "keys")


# --- the gate ---------------------------------------------------------------------------------------------------


class Server:
    """A guarded ROUTER that answers with the sender's role, and a guarded PUB."""

    def __init__(self, keys):
        self.context = zmq.Context()
        self.gate = Gate(self.context, keys)
        self.router, self.pub = self.context.socket(zmq.ROUTER), self.context.socket(zmq.PUB)
        for socket in (self.router, self.pub):
            socket.linger = 0
            self.gate.protect(socket)
        self.control, self.stream = endpoints.bind(self.router, HERE), endpoints.bind(self.pub, HERE)
        self.requests = 0

    def serve(self, seconds, until=lambda: False):
        """Answer and publish until something happened or time is up; whether it happened."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if until():
                return True
            self.pub.send(b"tick")
            if self.router.poll(10):
                frames = self.router.recv_multipart(copy=False)
                self.requests += 1
                self.router.send_multipart([frames[0].bytes, self.gate.role(frames[-1]).encode()])
        return until()

    def close(self):
        self.gate.close()
        self.context.destroy(linger=0)


@pytest.fixture
def server(folder):
    found = Server(Keys.load(folder))
    yield found
    found.close()


class Client:
    """Asks and listens, with the pair and the server's key given, or with none."""

    def __init__(self, server, pair=None, server_key=None):
        self.context = zmq.Context()
        self.dealer, self.sub = self.context.socket(zmq.DEALER), self.context.socket(zmq.SUB)
        for socket in (self.dealer, self.sub):
            if pair is not None:
                socket.curve_publickey, socket.curve_secretkey = pair
                socket.curve_serverkey = server_key
        self.sub.subscribe(b"")
        self.dealer.connect(server.control)
        self.sub.connect(server.stream)
        self.dealer.send(b"a request")

    def answered(self):
        return bool(self.dealer.poll(0))

    def has_all(self):
        return self.answered() and bool(self.sub.poll(0))

    def has_something(self):
        return self.answered() or bool(self.sub.poll(0))

    def role(self):
        return self.dealer.recv().decode()

    def ask(self):
        self.dealer.send(b"a request")

    def close(self):
        self.context.destroy(linger=0)


@pytest.fixture
def client(server):
    """Makes clients and closes them in the end."""
    made = []

    def make(*given):
        made.append(Client(server, *given))
        return made[-1]

    yield make
    for one in made:
        one.close()


def certificate(file):
    """What a client finds in its file: its own pair, and the server's key."""
    server_key = re.search(r'server-key = "(.*)"', file.read_text()).group(1)
    return zmq.auth.load_certificate(file), server_key.encode()


@pytest.mark.parametrize(("name", "role"), [("anna", "controller"), ("otto", "observer")])
def test_a_known_client_is_served_in_its_role(server, client, folder, name, role):
    known = client(*certificate(folder / "clients" / f"{name}.key_secret"))
    assert server.serve(PATIENCE_S, known.has_all)
    assert known.role() == role


def test_the_sender_of_every_frame_is_known_by_its_key(server, client, folder):
    pair, server_key = certificate(folder / "clients" / "otto.key_secret")
    known = client(pair, server_key)
    known.dealer.send_multipart([b"a", b"b", b"c" * 100_000])
    for _ in range(2):
        assert server.router.poll(1000 * PATIENCE_S)
        for frame in server.router.recv_multipart(copy=False)[1:]:
            assert frame.get("User-Id").encode() == pair[0]
            assert server.gate.role(frame) == "observer"


def test_the_server_itself_may_watch(server, client):
    keys = Keys.load(server.gate._keys.directory)
    own = client((keys.public, keys.secret), keys.public)
    assert server.serve(PATIENCE_S, own.has_all)
    assert own.role() == "observer"
    with own.context.socket(zmq.DEALER) as probe:
        keys.connect_as_server(probe)
        probe.connect(server.control)
        probe.send(b"how are you?")
        assert server.serve(PATIENCE_S, lambda: bool(probe.poll(0)))


def nobodys(known):
    return zmq.curve_keypair(), known[1]


def strangers_server(known):
    return known[0], zmq.curve_keypair()[0]


def thiefs(known):
    """The public key of a client, without the secret one."""
    return (known[0][0], zmq.curve_keypair()[1]), known[1]


def none(known):
    return ()


@pytest.mark.parametrize("keys", [nobodys, strangers_server, thiefs, none])
def test_a_client_without_a_known_key_gets_nothing(server, client, folder, keys):
    given = certificate(folder / "clients" / "anna.key_secret")
    stranger, known = client(*keys(given)), client(*given)
    assert server.serve(PATIENCE_S, known.has_all)
    assert not server.serve(0.5, stranger.has_something)
    assert server.requests == 1  # the stranger's did not even arrive
    known.ask()
    assert server.serve(PATIENCE_S, lambda: server.requests == 2)  # and it still answers


def test_a_client_that_is_added_gets_in_and_one_that_is_removed_does_not(server, client, folder):
    anna = certificate(folder / "clients" / "anna.key_secret")
    first = client(*anna)
    assert server.serve(PATIENCE_S, first.has_all)
    assert first.role() == "controller"

    new = client(*certificate(auth.add_client(folder, "new", "controller")))
    assert server.serve(PATIENCE_S, new.has_all)
    assert new.role() == "controller"

    (folder / "controllers" / "anna.key").unlink()
    again = client(*anna)
    assert not server.serve(0.5, again.has_something)
    first.ask()
    assert server.serve(PATIENCE_S, first.answered)
    assert first.role() == "observer"


def test_a_folder_that_is_spoilt_later_changes_nothing(server, client, folder):
    (folder / "controllers" / "broken.key").write_text("half a certif")
    known = client(*certificate(folder / "clients" / "anna.key_secret"))
    assert server.serve(PATIENCE_S, known.has_all)
    assert known.role() == "controller"
    (folder / "controllers" / "broken.key").unlink()
    mended = client(*certificate(auth.add_client(folder, "new", "observer")))
    assert server.serve(PATIENCE_S, mended.has_all)


def test_the_folder_is_read_again_only_if_it_has_changed(server, client, folder, monkeypatch):
    load, read = Keys.load, []
    monkeypatch.setattr(Keys, "load", lambda directory: read.append(directory) or load(directory))
    for _ in range(3):
        known = client(*certificate(folder / "clients" / "anna.key_secret"))
        assert server.serve(PATIENCE_S, known.has_all)
    assert len(read) == 1


def test_the_gate_survives_whatever_happens_when_it_looks(server, client, folder, monkeypatch):
    def fails(_):
        raise RuntimeError("not foreseen")

    monkeypatch.setattr(Keys, "load", fails)
    for _ in range(2):
        known = client(*certificate(folder / "clients" / "anna.key_secret"))
        assert server.serve(PATIENCE_S, known.has_all)


def test_without_the_gate_no_client_is_admitted(server, client, folder):
    server.gate.close()
    known = client(*certificate(folder / "clients" / "anna.key_secret"))
    assert not server.serve(0.5, known.has_something)


def test_a_connection_within_the_process_controls_nothing(server):
    with server.context.socket(zmq.ROUTER) as router, server.context.socket(zmq.DEALER) as dealer:
        router.bind("inproc://within")
        dealer.connect("inproc://within")
        dealer.send(b"hello")
        assert server.gate.role(router.recv_multipart(copy=False)[-1]) == "observer"


def test_a_socket_is_protected_before_it_is_bound(server):
    with server.context.socket(zmq.ROUTER) as router:
        endpoints.bind(router, HERE)
        with pytest.raises(RuntimeError, match="before it is bound"):
            server.gate.protect(router)


def test_the_client_of_the_documentation_gets_in(server, folder, monkeypatch):
    page = Path(__file__).resolve().parents[2] / "docs" / "how-to" / "open-to-a-network.md"
    (program,) = re.findall(r"^```python\n(.*?)^```", page.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    monkeypatch.chdir(folder / "clients")
    names = {}
    exec(program.replace("tcp://192.168.1.20:5570", server.control), names)
    with names["control"] as control:
        control.send(b"a request")
        assert server.serve(PATIENCE_S, lambda: bool(control.poll(0)))
        assert control.recv() == b"controller"
    names["context"].destroy(linger=0)


def test_a_guarded_socket_may_be_bound_outside(server):
    with server.context.socket(zmq.ROUTER) as router:
        server.gate.protect(router)
        with pytest.raises(ServiceError, match="no such address"):  # permitted; but this address is for documentation
            endpoints.bind(router, "tcp://192.0.2.7:*")
