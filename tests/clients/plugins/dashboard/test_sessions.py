"""The list of sessions, and which of them are followed."""

from __future__ import annotations

import asyncio

from decoderd_client.requests import NoAnswer
from decoderd_plugins.dashboard import sessions
from decoderd_plugins.dashboard.sessions import Sessions


def listed(name, control="tcp://127.0.0.1:1", state="running", incarnation=1):
    return {"session": name, "state": state, "incarnation": incarnation, "control": control, "why": None}


class Following:
    """What was followed, in place of sessions; each is `over` when it is set."""

    def __init__(self, monkeypatch):
        self.begun, self.cancelled = [], []
        self.over = asyncio.Event()
        monkeypatch.setattr(sessions, "follow", self.follow)
        monkeypatch.setattr(sessions, "POLL_S", 0.005)

    async def follow(self, followed, control, keys):
        self.begun.append(control)
        try:
            await self.over.wait()
        except asyncio.CancelledError:
            self.cancelled.append(control)
            raise


async def settled():
    await asyncio.sleep(0.05)


def watching(work, monkeypatch):
    """Run `work(watched, answer, following)`; `answer` holds what the daemon lists, or raises."""

    async def go():
        answer = [listed("a"), listed("b", "tcp://127.0.0.1:2")]

        async def ask():
            if not answer:
                raise NoAnswer("it does not answer")
            return list(answer)

        following, watched = Following(monkeypatch), Sessions(ask, None)
        task = asyncio.create_task(watched.watch())
        await settled()
        try:
            await work(watched, answer, following)
        finally:
            task.cancel()

    asyncio.run(go())


def test_what_is_shown_is_followed_once(monkeypatch):
    async def work(watched, answer, following):
        assert watched.show("c") is None
        assert watched.show("a") is watched.show("a")
        await settled()
        assert following.begun == ["tcp://127.0.0.1:1"]

    watching(work, monkeypatch)


def test_a_daemon_that_is_away_leaves_what_is_known(monkeypatch):
    async def work(watched, answer, following):
        known = watched.show("a")
        kept = list(answer)
        answer.clear()
        await settled()
        assert watched.trouble == "it does not answer"
        assert watched.show("a") is known
        answer.extend(kept)
        await settled()
        assert watched.trouble is None
        assert (following.begun, following.cancelled) == (["tcp://127.0.0.1:1"], [])

    watching(work, monkeypatch)


def test_a_session_that_runs_elsewhere_or_anew_is_followed_again(monkeypatch):
    async def work(watched, answer, following):
        watched.show("a")
        await settled()
        answer[0] = listed("a", "tcp://127.0.0.1:3")
        await settled()
        assert following.begun == ["tcp://127.0.0.1:1", "tcp://127.0.0.1:3"]
        assert following.cancelled == ["tcp://127.0.0.1:1"]
        following.over.set()
        answer[0] = listed("a", "tcp://127.0.0.1:3", state="done")
        await settled()
        count = len(following.begun)
        await settled()
        assert len(following.begun) == count  # it is over
        answer[0] = listed("a", "tcp://127.0.0.1:3", state="preparing", incarnation=2)
        await settled()
        assert len(following.begun) > count

    watching(work, monkeypatch)


def test_what_no_tab_shows_is_followed_no_more(monkeypatch):
    async def work(watched, answer, following):
        monkeypatch.setattr(sessions, "UNSHOWN_S", 0.0)
        watched.show("a")
        await settled()
        assert following.cancelled == ["tcp://127.0.0.1:1"]

    watching(work, monkeypatch)
