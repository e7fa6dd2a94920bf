"""Following a session: its newest ticks without a request for what was dropped, its history complete."""

from __future__ import annotations

import asyncio

import pytest

from decoderd_client.control import AsyncSession
from decoderd_client.requests import NoAnswer
from decoderd_plugins.dashboard import following
from decoderd_plugins.dashboard.following import Followed, follow
from decoderd_plugins.dashboard.window import Place
from tests.clients.fake import Fake
from tests.clients.plugins import building

DESCRIPTION = {"tick_s": 0.01, "units": 3, "session": "fake"}


async def until(condition, within_s=20.0):
    async with asyncio.timeout(within_s):
        while not condition():
            await asyncio.sleep(0.01)


def describing(fake):
    plain = fake.answers["describe"]
    fake.answers["describe"] = lambda *given: ({**DESCRIPTION, **plain(*given)[0]}, [])


def test_history_is_complete_and_dropped_ticks_are_not_fetched():
    async def go(fake):
        followed = Followed()
        task = asyncio.create_task(follow(followed, fake.control, None))
        await until(lambda: followed.description is not None)
        while followed.window.newest is None:  # until the socket is connected
            fake.send("tick")
            await asyncio.sleep(0.01)
        for _ in range(5):
            fake.send("tick", lost=True)
        fake.send("tick")
        fake.send("health", n=10, m=2, z=0.1, l=[1.0, 2.0, 3.0])
        last = len(fake.stored["tick"]) - 1
        await until(lambda: followed.window.newest.tick == last and followed.missed == 2)
        assert followed.age_s < 20
        fake.send("trial", lost=True)
        fake.end()
        await asyncio.wait_for(task, 20)
        return followed

    with Fake() as fake:
        describing(fake)
        for _ in range(3):
            fake.send("trial", lost=True)
        followed = asyncio.run(go(fake))
        assert len(followed.history.outcomes) == 4
        assert {request["topic"] for request in fake.asked("missed")} <= {"trial", "session"}


def test_of_many_messages_the_newest_are_read_and_all_of_health():
    many = [[following.HEALTH if number % 100 == 0 else b"tick", str(number).encode()] for number in range(3000)]
    read = following.newest_of(iter(many))
    assert [one for one in read if one[0] == following.HEALTH] == [one for one in many if one[0] == following.HEALTH]
    ticks = [one for one in many if one[0] == b"tick"]
    assert [one for one in read if one[0] == b"tick"] == ticks[-following.READ :]


def test_a_session_that_does_not_answer_is_reported():
    with Fake() as fake:
        fake.ignored = 10**9
        with pytest.raises(NoAnswer):
            asyncio.run(follow_impatiently(Followed(), fake.control))


async def follow_impatiently(followed, control):
    """With the patience of a test."""

    class Impatient(AsyncSession):
        def __init__(self, endpoint, **fields):
            super().__init__(endpoint, timeout_s=0.05, attempts=1, **fields)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(following, "AsyncSession", Impatient)
        await follow(followed, control, None)


def test_a_description_begins_anew():
    followed = Followed()
    followed.begin(DESCRIPTION)
    followed.receive(building.tick(3, 1, 3))
    place, _, _ = followed.window.since(Place())
    followed.begin(DESCRIPTION)
    assert followed.window.newest is None
    assert followed.window.epoch > place.epoch
