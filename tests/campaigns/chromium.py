"""Chromium without a window, driven over its DevTools protocol."""

from __future__ import annotations

import asyncio
import base64
import itertools
import json
import re
import shutil
import subprocess
import time
import urllib.request
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import pytest

WAIT_S = 300.0


@contextmanager
def chromium(folder, resolver="--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost"):
    """A browser that reaches loopback only; gives the port of its DevTools. Skips the test where there is none."""
    program = shutil.which("chromium")
    if program is None:
        pytest.skip("Chromium is not installed (apt-get install chromium)")
    fixed = [
        "--headless=new",
        "--no-sandbox",
        "--remote-debugging-port=0",
        f"--user-data-dir={folder / 'profile'}",
        "--window-size=1280,1000",
        # Tabs draw as if each were in front: in a browser without a window all but the last opened stand still.
        "--disable-backgrounding-occluded-windows",
        "--disable-renderer-backgrounding",
        "--disable-background-timer-throttling",
        resolver,
        "about:blank",
    ]
    process = subprocess.Popen([program, *fixed], stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
    try:
        for line in process.stderr:
            if found := re.search(r"DevTools listening on ws://127.0.0.1:(\d+)/", line):
                break
        else:
            raise AssertionError("Chromium did not begin")
        yield int(found.group(1))
    finally:
        process.kill()
        process.communicate(timeout=WAIT_S)


class Page:
    """A tab: `ask` sends a command, `events` collects what the browser reports."""

    def __init__(self, socket) -> None:
        self.events: list[Any] = []
        self._socket, self._numbers, self._waiting = socket, itertools.count(1), {}
        self._loaded = asyncio.Event()
        self._reading = asyncio.create_task(self._read())

    async def _read(self) -> None:
        async for text in self._socket:
            message = json.loads(text)
            if "id" in message:
                self._waiting.pop(message["id"]).set_result(message)
            else:
                self.events.append(message)
                if message["method"] == "Page.loadEventFired":
                    self._loaded.set()

    async def ask(self, method: str, **fields: Any) -> Any:
        number = next(self._numbers)
        reply = self._waiting[number] = asyncio.get_running_loop().create_future()
        await self._socket.send(json.dumps({"id": number, "method": method, "params": fields}))
        message = await asyncio.wait_for(reply, WAIT_S)
        assert "error" not in message, message
        return message["result"]

    async def open(self, address: str) -> None:
        """Navigate, and wait until the page is loaded."""
        self._loaded.clear()
        await self.ask("Page.navigate", url=address)
        await asyncio.wait_for(self._loaded.wait(), WAIT_S)

    def close(self) -> None:
        """Read no more."""
        self._reading.cancel()

    async def value(self, script: str) -> Any:
        """The value of an expression, awaited if it is a promise."""
        found = await self.ask("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in found, found["exceptionDetails"]
        return found["result"].get("value")

    async def until(self, script: str, within_s: float = WAIT_S) -> Any:
        """Wait until an expression is true; returns its value."""
        until = time.monotonic() + within_s
        while not (found := await self.value(script)):
            assert time.monotonic() < until, script
            await asyncio.sleep(0.1)
        return found

    async def picture(self, width: int) -> bytes:
        """The whole page as PNG, at this width."""
        size = {"width": width, "deviceScaleFactor": 1, "mobile": False}
        await self.ask("Emulation.setDeviceMetricsOverride", height=1000, **size)
        height = await self.value("document.documentElement.scrollHeight")
        await self.ask("Emulation.setDeviceMetricsOverride", height=height, **size)
        await self.value("new Promise((then) => requestAnimationFrame(() => setTimeout(then, 1000)))")
        return base64.b64decode((await self.ask("Page.captureScreenshot", format="png"))["data"])

    def console(self) -> list[str]:
        """What the page wrote to the console, and what the browser complained of."""
        found = [
            one["params"] for one in self.events if one["method"] in ("Log.entryAdded", "Runtime.consoleAPICalled")
        ]
        found += [one["params"] for one in self.events if one["method"] == "Runtime.exceptionThrown"]
        return [json.dumps(one)[:600] for one in found]

    def requested(self) -> list[str]:
        """Addresses that the page asked for, also of web sockets."""
        sent = [one["params"]["request"]["url"] for one in self.events if one["method"] == "Network.requestWillBeSent"]
        return sent + [one["params"]["url"] for one in self.events if one["method"] == "Network.webSocketCreated"]


@asynccontextmanager
async def page(port: int, address: str):
    """A new window at an address, with its console and network observed from the beginning.

    A window of its own: of the tabs of one window all but one stand still.
    """
    from websockets.asyncio.client import connect

    version = json.loads(urllib.request.urlopen(f"http://127.0.0.1:{port}/json/version", timeout=WAIT_S).read())
    async with connect(version["webSocketDebuggerUrl"], max_size=None, ping_interval=None) as browser:
        asking = {"id": 1, "method": "Target.createTarget", "params": {"url": "about:blank", "newWindow": True}}
        await browser.send(json.dumps(asking))
        target = json.loads(await browser.recv())["result"]["targetId"]
    async with connect(f"ws://127.0.0.1:{port}/devtools/page/{target}", max_size=None, ping_interval=None) as socket:
        one = Page(socket)
        try:
            for domain in ("Page", "Runtime", "Log", "Network"):
                await one.ask(f"{domain}.enable")
            await one.open(address)
            yield one
        finally:
            one.close()
