"""The gate: which clients are admitted, and what a change of their keys does, through real sockets."""

from __future__ import annotations

import errno
import re
import time
from pathlib import Path

import pytest
import zmq
import zmq.auth

from decoderd.errors import ServiceError
from decoderd.service import auth, endpoints, keys
from decoderd.service.auth import Gate
from decoderd.service.keys import Keys

HERE = "tcp://127.0.0.1:*"
# Nothing here takes this long; a test that hangs fails.
PATIENCE_S = 30


@pytest.fixture
def folder(tmp_path):
    """Keys of a server with a controller, anna, and an observer, otto."""
    found = tmp_path / "keys"
    keys.make_keys(found)
    keys.add_client(found, "anna", "controller")
    keys.add_client(found, "otto", "observer")
    return found


class Server:
    """A guarded ROUTER that answers with the sender's role, and a guarded PUB."""

    def __init__(self, loaded):
        self.context = zmq.Context()
        self.gate = Gate(self.context, loaded)
        self.router, self.pub = self.context.socket(zmq.ROUTER), self.context.socket(zmq.PUB)
        for socket in (self.router, self.pub):
            socket.linger = 0
            self.gate.protect(socket)
        self.control, self.stream = endpoints.bind(self.router, HERE), endpoints.bind(self.pub, HERE)
        self.gate.watch([self.control, self.stream])
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

    def monitor(self, socket):
        """A socket that can be read once `socket` has lost its connection."""
        return socket.get_monitor_socket(zmq.EVENT_DISCONNECTED)

    def drain(self):
        """Forget what the stream has brought so far."""
        while self.sub.poll(0):
            self.sub.recv()

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


def test_the_server_itself_may_watch(server, client, folder):
    loaded = Keys.load(folder)
    own = client((loaded.public, loaded.secret), loaded.public)
    assert server.serve(PATIENCE_S, own.has_all)
    assert own.role() == "observer"
    with own.context.socket(zmq.DEALER) as probe:
        loaded.connect_as_server(probe)
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


@pytest.mark.parametrize("given_by", [nobodys, strangers_server, thiefs, none])
def test_a_client_without_a_known_key_gets_nothing(server, client, folder, given_by):
    given = certificate(folder / "clients" / "anna.key_secret")
    stranger, known = client(*given_by(given)), client(*given)
    assert server.serve(PATIENCE_S, known.has_all)
    assert not server.serve(0.5, stranger.has_something)
    assert server.requests == 1  # the stranger's did not even arrive
    known.ask()
    assert server.serve(PATIENCE_S, lambda: server.requests == 2)  # and it still answers


def test_a_client_that_is_added_gets_in(server, client, folder):
    new = client(*certificate(keys.add_client(folder, "new", "controller")))
    assert server.serve(PATIENCE_S, new.has_all)
    assert new.role() == "controller"


def remove(file):
    file.unlink()


def overwrite(file):
    """Another key in place of this one, in the same file."""
    pair, _ = zmq.curve_keypair()
    file.write_text(re.sub(r'public-key = ".*"', f'public-key = "{pair.decode()}"', file.read_text()))


def let_others_write(file):
    file.chmod(0o666)


def let_others_write_the_folder(file):
    file.parent.chmod(0o777)


REMOVALS = (remove, overwrite, let_others_write, let_others_write_the_folder)


@pytest.mark.parametrize("change", REMOVALS, ids=lambda change: change.__name__)
def test_a_client_that_is_removed_is_disconnected_though_nobody_connects(server, client, folder, caplog, change):
    anna = certificate(folder / "clients" / "anna.key_secret")
    removed, other = client(*anna), client(*certificate(folder / "clients" / "otto.key_secret"))
    assert server.serve(PATIENCE_S, removed.has_all)
    assert server.serve(PATIENCE_S, other.has_all)
    assert (removed.role(), other.role()) == ("controller", "observer")
    other_control = other.monitor(other.dealer)
    control, stream = removed.monitor(removed.dealer), removed.monitor(removed.sub)
    change(folder / "controllers" / "anna.key")
    began = time.monotonic()
    assert server.serve(PATIENCE_S, lambda: bool(control.poll(0) and stream.poll(0)))
    assert time.monotonic() - began < 1.0
    if change in (let_others_write, let_others_write_the_folder):
        assert caplog.text.count("until then its clients are refused") == 1

    other.drain()
    other.ask()
    assert server.serve(PATIENCE_S, other.has_all)  # its stream has come back by itself
    assert not other_control.poll(0)  # its requests were never interrupted
    if change is remove:
        again = client(*anna)
        assert not server.serve(0.5, again.has_something)


def test_a_request_that_waits_when_its_client_is_removed_is_an_observers(server, client, folder):
    known = client(*certificate(folder / "clients" / "anna.key_secret"))
    assert server.serve(PATIENCE_S, known.has_all)
    control = known.monitor(known.dealer)
    known.ask()
    assert server.router.poll(1000 * PATIENCE_S)  # it has arrived, and is not read yet
    (folder / "controllers" / "anna.key").unlink()
    assert control.poll(1000 * PATIENCE_S)
    assert server.gate.role(server.router.recv_multipart(copy=False)[-1]) == "observer"


def test_a_client_that_is_moved_to_another_folder_has_the_other_role_and_stays_connected(server, client, folder):
    known = client(*certificate(folder / "clients" / "anna.key_secret"))
    assert server.serve(PATIENCE_S, known.has_all)
    assert known.role() == "controller"
    control = known.monitor(known.dealer)
    (folder / "controllers" / "anna.key").rename(folder / "observers" / "anna.key")

    def demoted():
        known.ask()
        return known.answered() and known.role() == "observer"

    assert server.serve(PATIENCE_S, demoted)
    assert not control.poll(0)


def test_the_server_itself_stays_connected_when_clients_are_removed(server, client, folder):
    loaded = Keys.load(folder)
    own = client((loaded.public, loaded.secret), loaded.public)
    known = client(*certificate(folder / "clients" / "anna.key_secret"))
    assert server.serve(PATIENCE_S, lambda: own.has_all() and known.has_all())
    own_control, control = own.monitor(own.dealer), known.monitor(known.dealer)
    (folder / "server.key_secret").chmod(0o640)
    assert server.serve(PATIENCE_S, lambda: bool(control.poll(0)))
    assert not own_control.poll(0)


def test_what_was_mended_is_admitted_again(server, client, folder):
    anna = certificate(folder / "clients" / "anna.key_secret")
    folder.chmod(0o777)
    refused = client(*anna)
    assert not server.serve(0.5, refused.has_something)
    folder.chmod(0o700)
    admitted = client(*anna)
    assert server.serve(PATIENCE_S, admitted.has_all)
    assert admitted.role() == "controller"


def test_the_folder_is_read_again_only_if_it_has_changed(server, client, folder, monkeypatch):
    known = client(*certificate(folder / "clients" / "anna.key_secret"))
    assert server.serve(PATIENCE_S, known.has_all)
    read, load = [], keys.read_clients
    monkeypatch.setattr(auth, "read_clients", lambda directory: read.append(directory) or load(directory))
    for _ in range(3):
        known = client(*certificate(folder / "clients" / "anna.key_secret"))
        assert server.serve(PATIENCE_S, known.has_all)
    assert read == []


def test_the_gate_survives_whatever_happens_when_it_looks(server, client, folder, monkeypatch):
    def fails(_):
        raise RuntimeError("not foreseen")

    anna = certificate(folder / "clients" / "anna.key_secret")
    with monkeypatch.context() as patched:
        patched.setattr(auth, "marks", fails)
        refused = client(*anna)
        assert not server.serve(0.5, refused.has_something)
    known = client(*anna)
    assert server.serve(PATIENCE_S, known.has_all)


def test_keys_that_cannot_be_read_for_want_of_descriptors_stay_valid_until_they_can(
    server, client, folder, monkeypatch
):
    def runs_out(path):
        raise OSError(errno.EMFILE, "Too many open files", str(path))

    known = client(*certificate(folder / "clients" / "anna.key_secret"))
    assert server.serve(PATIENCE_S, known.has_all)
    assert known.role() == "controller"
    control = known.monitor(known.dealer)
    with monkeypatch.context() as patched:
        patched.setattr(keys.os, "listdir", runs_out)  # of all modules: neither keys nor connections can be listed
        (folder / "observers" / "otto.key").unlink()
        known.ask()
        assert server.serve(PATIENCE_S, known.answered)
        assert known.role() == "controller"
        assert not server.serve(3 * auth.LOOK_S, lambda: bool(control.poll(0)))
    (folder / "controllers" / "anna.key").unlink()
    assert server.serve(PATIENCE_S, lambda: bool(control.poll(0)))


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
