"""Connections without a key, and clients that do not read, cost neither descriptors nor memory beyond a bound."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from types import SimpleNamespace

import pytest
import zmq

from decoderd.service import connection_watch
from decoderd.service.arrivals import Arrivals
from decoderd.service.connection_watch import ConnectionWatch, Watched
from decoderd_client import ClientKeys, Session, Supervisor
from tests.protocols import lasting
from tests.running import cli
from tests.service import attacks
from tests.service.serving import daemon, served, wait_for
from tests.uncollected import uncollected

HOUR = lasting(3600.0)
MISSED = {"op": "missed", "topic": "tick", "first": 0}
ON_A_SESSION = {
    "100 announce": attacks.announcing(100),
    "300 announce": attacks.announcing(300),
    "a message without end": attacks.without_end,
    "subscriptions without end": attacks.subscribing,
    "missed, never read": attacks.never_read(MISSED),
    "describe, never read": attacks.never_read({"op": "describe"}),
    "600 half open": attacks.half_open(600),
    "2,000 half open": attacks.half_open(2000),
}
ON_A_SUPERVISOR = {
    name: attack
    for name, attack in ON_A_SESSION.items()
    if name not in ("subscriptions without end", "missed, never read")
} | {"list, never read": attacks.never_read({"op": "list"})}


@contextmanager
def peaks(pid):
    """The greatest memory (KiB) and number of descriptors of a process meanwhile."""
    found, over = SimpleNamespace(kib=0, descriptors=0), threading.Event()

    def look():
        while not over.wait(0.01):
            found.kib = max(found.kib, attacks.resident_kib(pid))
            found.descriptors = max(found.descriptors, attacks.descriptors(pid))

    looking = threading.Thread(target=look, daemon=True)
    looking.start()
    try:
        yield found
    finally:
        over.set()
        looking.join()


class Keyed:
    """Options of a service with keys or without, and sockets of an observer for it."""

    def __init__(self, folder, keyed):
        self.options, self.keys, self._context = [], None, zmq.Context.instance()
        if keyed:
            for words in ([], ["--client", "watcher"]):
                assert cli("keys", folder / "keys", *words).returncode == 0
            self.options = ["--keys", folder / "keys"]
            self.keys = ClientKeys.load(folder / "keys" / "clients" / "watcher.key_secret")

    def socket(self, kind):
        """A socket of an observer."""
        made = self._context.socket(kind)
        if self.keys is not None:
            self.keys.introduce(made)
        return made


def attacked(name, attack, pid, control, stream, keyed, answers, seconds):
    """Memory and descriptors that an attack takes; the service answers meanwhile and afterwards."""
    before = attacks.resident_kib(pid)
    with peaks(pid) as peak:
        attacking = threading.Thread(target=attack, args=(control, stream, keyed.socket, seconds))
        attacking.start()
        slowest = 0.0
        while attacking.is_alive():
            began = time.monotonic()
            assert answers()
            slowest = max(slowest, time.monotonic() - began)
            attacking.join(0.2)
    grown = peak.kib - before
    assert grown < attacks.GROWN_KIB, f"{name}: {grown} KiB more"
    return f"{name}: +{grown / 1024:.0f} MiB, {peak.descriptors} descriptors, slowest reply {slowest:.2f} s"


def session_attacked(folder, names, seconds, with_keys=False):
    keyed = Keyed(folder, with_keys)
    with (
        served(folder, HOUR, "--json", *keyed.options) as (control, _, process),
        Session(control, timeout_s=20.0, keys=keyed.keys) as session,
    ):
        wait_for(lambda: session.health()["state"] == "running")
        stream = session.describe()["stream"]
        session.missed("tick", 0)

        def answers():
            return session.health()["state"] == "running"

        return [
            attacked(name, ON_A_SESSION[name], process.pid, control, stream, keyed, answers, seconds) for name in names
        ]


def supervisor_attacked(folder, names, seconds, with_keys=False):
    (folder / "data").mkdir()
    keyed = Keyed(folder, with_keys)
    with (
        daemon(folder / "data", *keyed.options) as one,
        Supervisor(one.control, timeout_s=20.0, keys=keyed.keys) as supervisor,
    ):

        def answers():
            return supervisor.sessions()["sessions"] == []

        assert answers()
        return [
            attacked(name, ON_A_SUPERVISOR[name], one.process.pid, one.control, None, keyed, answers, seconds)
            for name in names
        ]


def test_attacks_on_a_session_are_bounded(tmp_path):
    session_attacked(tmp_path, ["a message without end", "subscriptions without end"], 1.2)


def test_attacks_on_a_supervisor_are_bounded(tmp_path):
    supervisor_attacked(tmp_path, ["600 half open", "300 announce"], 0.4)


@pytest.mark.campaign
@pytest.mark.parametrize("with_keys", [False, True], ids=["without keys", "with keys"])
@pytest.mark.parametrize("name", ON_A_SESSION)
def test_five_minutes_of_an_attack_on_a_session(tmp_path, capsys, name, with_keys):
    """By hand: prints what it cost."""
    found = session_attacked(tmp_path, [name], 300.0, with_keys)
    with capsys.disabled():
        print(f"\nsession, {found}")


@pytest.mark.campaign
@pytest.mark.parametrize("with_keys", [False, True], ids=["without keys", "with keys"])
@pytest.mark.parametrize("name", ON_A_SUPERVISOR)
def test_five_minutes_of_an_attack_on_a_supervisor(tmp_path, capsys, name, with_keys):
    """By hand: prints what it cost."""
    found = supervisor_attacked(tmp_path, [name], 300.0, with_keys)
    with capsys.disabled():
        print(f"\nsupervisor, {found}")


class Seen:
    """In place of a connection."""

    def __init__(self):
        self.arrived, self.was_cut = 0, False

    def received(self):
        return self.arrived

    def cut(self):
        self.was_cut = True


@pytest.fixture
def watch(monkeypatch):
    """(the watch of one socket, not started; its account; connections to it, to be filled)."""
    arrivals, connections = Arrivals(), []
    one = ConnectionWatch(Watched("tcp://127.0.0.1:1", arrivals, 1000))
    monkeypatch.setattr(one, "_accepted", SimpleNamespace(look=lambda: {"tcp://127.0.0.1:1": connections}))
    monkeypatch.setattr(one, "_most", 3)
    return one, arrivals, connections


def test_of_too_many_the_oldest_that_is_not_proven_is_cut(watch):
    one, arrivals, connections = watch
    proven, silent = Seen(), Seen()
    for fresh in (proven, silent, Seen(), Seen()):
        connections.append(fresh)
        arrivals.handed_on(proven, 1)
        one.look()
    assert [connection.was_cut for connection in connections] == [False, True, False, False]


def test_where_all_are_proven_the_newest_is_cut(watch):
    one, arrivals, connections = watch
    for fresh in (Seen(), Seen(), Seen(), Seen()):
        connections.append(fresh)
        arrivals.handed_on(fresh, 1)
        one.look()
    assert [connection.was_cut for connection in connections] == [False, False, False, True]


def test_a_connection_that_sends_too_much_is_cut(watch):
    one, arrivals, connections = watch
    connections += [Seen(), Seen()]
    connections[0].arrived = connections[1].arrived = 1001
    arrivals.handed_on(connections[1], 1)
    one.look()
    assert [connection.was_cut for connection in connections] == [True, False]


def test_the_one_that_sent_most_is_cut_when_memory_grows(watch, monkeypatch):
    one, _, connections = watch
    one._watched = (one._watched[0]._replace(most=2**40),)
    memory = [2**20]
    monkeypatch.setattr(connection_watch, "allocated", lambda: memory[0])
    assert one.look()
    connections += [Seen(), Seen(), Seen()]
    for connection, arrived in zip(connections, (100_000, 200_000, 0), strict=True):
        connection.arrived = arrived
    assert not one.look()
    memory[0] += connection_watch.GROWTH_BYTES + 1
    assert not one.look()
    assert [connection.was_cut for connection in connections] == [False, True, False]
    memory[0] += 200_000
    assert not one.look()
    assert [connection.was_cut for connection in connections] == [True, True, False]


def test_a_look_is_left_out_while_nothing_can_have_come(watch, monkeypatch):
    one, _, connections = watch
    now, memory, used = [100.0], [2**20], [10]
    monkeypatch.setattr(connection_watch, "allocated", lambda: memory[0])
    monkeypatch.setattr(connection_watch.descriptors, "used", lambda: used[0])
    monkeypatch.setattr(connection_watch.time, "monotonic", lambda: now[0])
    assert not one._as_before()  # it has not looked yet
    assert one.look()
    now[0] += connection_watch.LOOK_AGAIN_S / 2
    assert one._as_before()
    memory[0] += connection_watch.QUIET_BYTES  # as much may have arrived
    assert not one._as_before()
    assert one.look()
    assert one._as_before()
    used[0] += 1  # a connection more
    assert not one._as_before()
    assert one.look()
    now[0] += connection_watch.LOOK_AGAIN_S
    assert not one._as_before()
    connections.append(Seen())
    connections[0].arrived = connection_watch.QUIET_BYTES
    assert not one.look()
    assert not one._as_before()  # what is loud is looked at


def test_no_look_leaves_anything_to_the_garbage_collector(watch, monkeypatch):
    one, _, connections = watch
    monkeypatch.setattr(connection_watch, "GIVE_BACK_S", 0.0)
    one._watched = (one._watched[0]._replace(most=2**40),)
    connections += [Seen() for _ in range(3)]
    connections[0].arrived = connection_watch.QUIET_BYTES
    with uncollected() as found:
        assert not any(one.look() for _ in range(20))
    assert found == []


def test_memory_that_was_freed_does_not_count():
    before = connection_watch.allocated()
    held = [bytes(2**20) for _ in range(50)]
    assert connection_watch.allocated() - before > 45 * 2**20
    del held
    assert connection_watch.allocated() - before < 5 * 2**20
