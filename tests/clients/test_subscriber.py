"""Following a stream that loses messages."""

from __future__ import annotations

import asyncio
import random
import threading

import pytest

from decoderd_client import AsyncSession, Session
from tests.clients.fake import Fake, connect


@pytest.fixture
def fake():
    with Fake() as fake:
        yield fake


@pytest.fixture
def session(fake):
    with Session(fake.control) as session:
        yield session


def numbers(messages, topic):
    return [message.sequence for message in messages if message.topic == topic]


@pytest.mark.parametrize("seed", range(3))
def test_every_message_once_and_in_order_whatever_is_lost(fake, session, seed):
    chance = random.Random(seed)
    with session.subscribe(["tick", "trial", "metrics"]) as subscriber:
        connect(fake, subscriber)
        for tick in range(300):
            fake.send("tick", lost=chance.random() < 0.3)
            if chance.random() < 0.1:
                fake.publish("tick", chance.randrange(tick + 1))
            if tick % 10 == 0:
                fake.send("trial", lost=chance.random() < 0.5, tick=tick)
        fake.end()
        messages = list(subscriber)
    assert numbers(messages, "tick") == list(range(300))
    assert numbers(messages, "trial") == list(range(30))
    assert subscriber.recovered > 50


def test_a_tail_that_was_lost_is_fetched_when_the_session_ends(fake, session):
    with session.subscribe(["tick", "metrics"]) as subscriber:
        connect(fake, subscriber)
        for _ in range(20):
            fake.send("tick", lost=True)
        fake.end("stopped")
        assert numbers(list(subscriber), "tick") == list(range(20))


def test_a_tail_that_was_lost_with_the_end_itself_is_fetched_in_the_silence(fake, session):
    with session.subscribe(["tick", "metrics"]) as subscriber:
        connect(fake, subscriber)
        fake.send("tick", lost=True)
        fake.end(lost=True)
        assert numbers(list(subscriber), "tick") == [0]


def test_a_lost_tail_is_fetched_by_who_waits_briefly_too(fake, session):
    with session.subscribe(["tick", "metrics"]) as subscriber:
        connect(fake, subscriber)
        fake.send("tick", lost=True)
        assert any(subscriber.next(timeout_s=0.1) for _ in range(200))


def test_what_is_not_on_the_disk_yet_is_asked_for_again(fake, session):
    with session.subscribe(["tick", "metrics"]) as subscriber:
        connect(fake, subscriber)
        fake.unstored = 3
        fake.send("tick", lost=True)
        fake.send("tick")
        assert [subscriber.next(timeout_s=20).sequence for _ in range(2)] == [0, 1]
        assert len([request for request in fake.asked("missed") if request["topic"] == "tick"]) == 4


def test_from_the_beginning_or_from_now(fake, session):
    for _ in range(30):
        fake.send("tick")
    fake.end()
    with session.subscribe(["tick"], from_start=True) as subscriber:
        assert numbers(list(subscriber), "tick") == list(range(30))
    with session.subscribe(["tick"]) as subscriber:
        assert subscriber.next(timeout_s=0.1) is None


def test_an_earlier_stop_is_not_the_end(fake, session):
    fake.send("tick")
    fake.end("stopped")
    fake.incarnation = 2
    fake.send("session", x="resumed", i=2, f=1, w="")
    with session.subscribe(["tick"], from_start=True) as subscriber:
        assert subscriber.next(timeout_s=20).sequence == 0
        assert not subscriber.over


def test_counts_come_only_if_asked_for(fake, session):
    with session.subscribe(["tick", "metrics"]) as subscriber:
        connect(fake, subscriber)
        fake.send("counts")
        fake.send("tick")
        fake.end()
        assert [message.topic for message in subscriber] == ["tick"]


def test_a_topic_of_a_later_version_that_begins_like_one_subscribed_to_is_passed_over(fake, session):
    with session.subscribe(["tick", "metrics"]) as subscriber:
        connect(fake, subscriber)
        fake.send_frames([b"decoderd.2.ticks", b"\x80", b"\x80"])
        fake.send("tick")
        fake.end()
        assert [message.topic for message in subscriber] == ["tick"]


def test_the_newest_for_software_that_draws(fake, session):
    with session.subscribe(["tick", "metrics"]) as subscriber:
        connect(fake, subscriber)
        for _ in range(50):
            fake.send("tick")
        looks = [subscriber.latest("tick", timeout_s=20).sequence]
        while looks[-1] < 49:  # the rest was on its way
            looks.append(subscriber.latest("tick", timeout_s=20).sequence)
        assert looks == sorted(looks)
        assert len(looks) < 50  # some were passed over
        assert subscriber.latest("tick", timeout_s=0.05) is None


def test_the_newest_is_waited_for_no_longer_than_asked(fake, session):
    with session.subscribe(["trial", "metrics"]) as subscriber:
        connect(fake, subscriber)
        stop = threading.Event()

        def talk():
            while not stop.wait(0.05):
                fake.send("metrics")

        talking = threading.Thread(target=talk)
        talking.start()
        ending = threading.Timer(20.0, stop.set)
        ending.start()
        assert subscriber.latest("trial", timeout_s=0.2) is None
        in_time = not stop.is_set()
        ending.cancel()
        stop.set()
        talking.join()
        assert in_time, "it waited until no messages came any more"


def test_topics_are_checked(session):
    with pytest.raises(ValueError, match="ticks"):
        session.subscribe(["ticks"])


def test_asyncio_gets_everything_too(fake):
    async def follow():
        async with AsyncSession(fake.control).subscribe(["tick"], from_start=True) as subscriber:
            got = []
            async for message in subscriber:
                got.append(message)
            return got

    async def lose():
        following = asyncio.create_task(follow())
        for tick in range(200):
            fake.send("tick", lost=tick % 7 == 0)
            await asyncio.sleep(0.001)
        fake.end()
        return await following

    assert numbers(asyncio.run(asyncio.wait_for(lose(), 20)), "tick") == list(range(200))
