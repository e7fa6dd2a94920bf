"""Replies that are not read are bounded in bytes, for one client and for all."""

from __future__ import annotations

import pytest

from decoderd.service import backlog
from decoderd.service.backlog import Backlog

MIB = 2**20


class Client:
    """In place of a connection: takes what it is made to take."""

    def __init__(self):
        self.has_taken = self.has_got = 0
        self.was_cut = False

    def taken(self):
        return self.has_taken

    def unacknowledged(self):
        return 0 if self.was_cut else max(0, self.has_got - self.has_taken)

    def cut(self):
        self.was_cut = True


def send(kept, client, size):
    """Whether a reply of so many bytes was sent."""
    if kept.full(client):
        return False
    client.has_got += size
    kept.add(client, [bytes(size)])
    return True


def test_a_client_that_reads_nothing_gets_so_much_and_no_more():
    kept, client = Backlog(), Client()
    got = sum(send(kept, client, MIB) for _ in range(100))
    assert got == backlog.OF_ONE // MIB
    client.has_taken = client.has_got
    assert send(kept, client, MIB)


def test_a_client_that_reads_late_gets_everything():
    kept, client = Backlog(), Client()
    for _ in range(100):
        assert send(kept, client, MIB)
        client.has_taken = max(0, client.has_got - 3 * MIB)


def test_small_frames_count_for_what_they_cost():
    kept, client = Backlog(), Client()
    client.has_got = 1
    kept.add(client, [b""] * 1000)
    assert kept.waiting() == 1000 * backlog.OF_FRAME


@pytest.mark.parametrize("number", [3, 300])
def test_beyond_what_all_may_owe_the_one_that_owes_most_is_cut(number):
    kept, clients = Backlog(), [Client() for _ in range(number)]
    for turn in range(20):
        for place, client in enumerate(clients):
            if not client.was_cut:
                send(kept, client, MIB if place or turn == 0 else 2 * MIB)
    assert kept.waiting() <= backlog.OF_ALL
    assert clients[0].was_cut
    assert not all(client.was_cut for client in clients)


def test_clients_that_have_read_all_are_forgotten():
    kept = Backlog()
    for _ in range(10 * backlog.OPENED):
        client = Client()
        send(kept, client, 100)
        client.has_taken = client.has_got
    assert len(kept._accounts) <= 2 * backlog.OPENED
