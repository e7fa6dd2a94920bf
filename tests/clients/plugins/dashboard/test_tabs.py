"""A tab that falls silent, or reads nothing, without a session behind it."""

from __future__ import annotations

import asyncio
import json

import pytest

pytest.importorskip("websockets")

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from decoderd_plugins.dashboard import server, tabs
from decoderd_plugins.dashboard.admission import Admission
from decoderd_plugins.dashboard.sessions import Sessions
from decoderd_plugins.dashboard.tabs import Given
from tests.running import TIMEOUT_S


async def nothing():
    return []


def serving(work, control=False):
    """Run `work(dashboard, port)` beside a dashboard that has no session."""

    async def go():
        dashboard = server.Dashboard(Admission(0, None), Given(Sessions(nothing, None), None, None, control))
        async with server.serve(dashboard.tab, server.HOST, 0, write_limit=1) as here:
            await asyncio.wait_for(work(dashboard, here.sockets[0].getsockname()[1]), TIMEOUT_S)

    asyncio.run(go())


def test_a_tab_that_asks_for_nothing_is_closed(monkeypatch):
    async def work(dashboard, port):
        async with connect(f"ws://127.0.0.1:{port}/") as socket:
            await socket.recv()
            with pytest.raises(ConnectionClosed):
                await socket.recv()
        assert dashboard.open_tabs == 0

    monkeypatch.setattr(tabs, "SILENCE_S", 0.05)
    serving(work)


def test_a_tab_that_reads_nothing_is_closed_and_holds_one_frame(monkeypatch):
    """Requests without end, of which no reply is read: the second frame waits for the first to be taken."""
    answered = []

    def long_frame(self, request):
        answered.append(request)
        return {"op": "frame", "filled": "x" * 4_000_000}

    async def work(dashboard, port):
        asked = json.dumps({"op": "frame", "session": None}).encode()
        _, writer = await asyncio.open_connection("127.0.0.1", port, limit=1)
        writer.write(
            b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
        )
        for _ in range(50):
            writer.write(bytes([0x81, 0x80 | len(asked), 0, 0, 0, 0]) + asked)
        while not dashboard.open_tabs:
            await asyncio.sleep(0.01)
        while dashboard.open_tabs:
            await asyncio.sleep(0.01)
        writer.close()
        assert 1 <= len(answered) <= 3  # the kernel's buffers take what they hold

    monkeypatch.setattr(tabs, "SILENCE_S", 0.3)
    monkeypatch.setattr(tabs.Tab, "_frame", long_frame)
    serving(work)


def test_a_tab_changes_nothing_unless_it_may():
    async def work(dashboard, port):
        async with connect(f"ws://127.0.0.1:{port}/") as socket:
            assert json.loads(await socket.recv())["control"] is False
            await socket.send(json.dumps({"op": "pause", "session": "a", "number": 3}))
            reply = json.loads(await socket.recv())
            assert (reply["op"], reply["number"]) == ("refused", 3)
            assert "--control" in reply["text"]

    serving(work)


def test_changes_under_way_are_bounded(monkeypatch):
    begun, over = [], asyncio.Event()

    async def slow_change(*given):
        begun.append(given)
        await over.wait()
        return "done"

    async def work(dashboard, port):
        async with connect(f"ws://127.0.0.1:{port}/") as socket:
            await socket.recv()
            for number in range(tabs.CHANGES + 1):
                await socket.send(json.dumps({"op": "pause", "session": "a", "number": number}))
            refused = json.loads(await socket.recv())
            assert (refused["op"], refused["number"]) == ("refused", tabs.CHANGES)
            assert len(begun) == tabs.CHANGES
            over.set()
            assert json.loads(await socket.recv()) == {"op": "done", "number": 0, "text": "done"}

    monkeypatch.setattr(tabs.changes, "carry_out", slow_change)
    serving(work, control=True)
