"""The server with a real daemon behind it, and a web socket in place of a browser."""

from __future__ import annotations

import asyncio
import http.client
import json
import re
import signal
import subprocess
import sys
from contextlib import ExitStack, contextmanager

import pytest

pytest.importorskip("websockets")

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from tests.protocols import lasting
from tests.running import TIMEOUT_S, environment, start
from tests.service.serving import asking, daemon, wait_for

ADDRESS = re.compile(r"dashboard at (http://127\.0\.0\.1:(\d+)/\S*)\n")


@contextmanager
def showing(*options):
    """`decoderd dashboard` in a process of its own: gives its port and the process."""
    process = start("dashboard", "--port", "0", *options)
    try:
        line = process.stdout.readline()
        found = ADDRESS.fullmatch(line)
        assert found, line + process.stderr.read()
        yield int(found.group(2)), process
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate(timeout=TIMEOUT_S)


class Restarted:
    """A daemon with a session `a` that runs; it can be ended and started again at the same endpoint."""

    def __init__(self, data, stack):
        self._data, self._stack = data, stack
        self.daemon = stack.enter_context(daemon(data))
        self.control = self.daemon.control
        with asking(self) as supervisor:
            supervisor.start("a", lasting(3600.0))
            wait_for(lambda: supervisor.find("a")["state"] == "running")

    def end(self):
        """End it; its session goes on."""
        self.daemon.end(signal.SIGTERM)

    def start(self):
        """The next daemon over the same sessions."""
        self.daemon = self._stack.enter_context(daemon(self._data, control=self.control))


@pytest.fixture(scope="module")
def one(tmp_path_factory):
    """A daemon with a session `a`."""
    with ExitStack() as stack:
        yield Restarted(tmp_path_factory.mktemp("dashboard"), stack)


@pytest.fixture(scope="module")
def shown(one):
    """A dashboard of that daemon, and its port."""
    with showing("--supervisor", one.control) as (port, _):
        yield port


def fetched(port, path="/", **headers):
    """(status, headers, body) of a request."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_S)
    connection.request("GET", path, headers=headers)
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    return answer.status, answer.headers, body


class Tab:
    """What the page does, without drawing."""

    def __init__(self, socket):
        self._socket, self._seen = socket, None

    async def frame(self, session, slow=False):
        """Ask for a frame."""
        seen = {} if self._seen is None else {"seen": self._seen}
        await self._socket.send(json.dumps({"op": "frame", "session": session, "slow": slow, **seen}))
        reply = json.loads(await asyncio.wait_for(self._socket.recv(), TIMEOUT_S))
        self._seen = reply.get("seen", self._seen)
        return reply

    async def until(self, condition, session="a", slow=True):
        """Ask until a frame is as wanted; returns it."""
        async with asyncio.timeout(TIMEOUT_S):
            while not condition(found := await self.frame(session, slow)):
                await asyncio.sleep(0.02)
            return found

    async def asking_during(self, call):
        """Ask until a call that blocks has returned: a tab that is silent meanwhile would be closed."""
        calling = asyncio.create_task(asyncio.to_thread(call))
        await self.until(lambda _: calling.done())
        await calling


def tab(port, work, path="/stream"):
    """Run `work(tab, socket)` with the web socket of a tab."""

    async def go():
        async with connect(f"ws://127.0.0.1:{port}{path}", origin=f"http://127.0.0.1:{port}") as socket:
            await work(Tab(socket), socket)

    asyncio.run(go())


def test_a_tab_gets_sessions_and_every_tick_once(shown):
    async def work(tab, _):
        listed = (await tab.until(lambda found: found["list"]["sessions"]))["list"]["sessions"]
        assert [(session["session"], session["state"]) for session in listed] == [("a", "running")]
        await tab.until(lambda found: found.get("now"))
        got = []
        for _ in range(20):
            found = await tab.frame("a")
            got += [row[0] for row in found["ticks"]]
            if found["ticks"]:
                assert found["now"]["tick"] == got[-1]
            await asyncio.sleep(0.02)
        assert len(got) > 20
        assert got == list(range(got[0], got[-1] + 1))
        slow = (await tab.until(lambda found: found["slow"]["healths"]))["slow"]
        assert slow["about"]["units"] == len(slow["rates"]) == 12

    tab(shown, work)


def test_a_session_that_does_not_exist_is_an_empty_frame(shown):
    async def work(tab, socket):
        found = await tab.frame("nobody", slow=True)
        assert (found["slow"], found.get("now")) == (None, None)
        await socket.send("{}")
        assert json.loads(await socket.recv())["op"] == "invalid"
        await socket.send(json.dumps({"op": "frame", "session": 5}))
        assert "string" in json.loads(await socket.recv())["text"]

    tab(shown, work)


def test_the_page_has_a_strict_policy(shown):
    status, headers, body = fetched(shown)
    assert (status, headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert b"<title>decoderd" in body
    assert headers["Content-Security-Policy"].startswith("default-src 'none'; script-src 'self';")
    assert fetched(shown, "/main.js")[0] == 200
    assert fetched(shown, "/../../keys.py")[0] == 404


def test_pages_of_other_hosts_are_refused(shown):
    assert fetched(shown, Host=f"attacker.example:{shown}")[0] == 421
    assert fetched(shown, Origin="http://attacker.example")[0] == 403

    async def foreign(origin):
        with pytest.raises(InvalidStatus) as caught:
            async with connect(f"ws://127.0.0.1:{shown}/stream", origin=origin):
                pass
        return caught.value.response.status_code

    assert asyncio.run(foreign("http://attacker.example")) == 403
    assert asyncio.run(foreign(f"http://127.0.0.1:{shown + 1}")) == 403


def test_a_tab_that_asks_for_nothing_is_closed(shown, monkeypatch):
    from decoderd_plugins.dashboard import server

    async def go():
        dashboard = server.Dashboard(server.Sessions(None, None), None)
        async with server.serve(dashboard.tab, "127.0.0.1", 0) as here:
            async with connect(f"ws://127.0.0.1:{here.sockets[0].getsockname()[1]}/") as socket:
                with pytest.raises(ConnectionClosed):
                    await asyncio.wait_for(socket.recv(), TIMEOUT_S)
            assert dashboard._tabs == 0

    monkeypatch.setattr(server, "SILENCE_S", 0.05)
    asyncio.run(go())


def test_a_restart_of_the_daemon_is_survived(one, shown):
    """The session goes on meanwhile, and so do its frames."""

    async def work(tab, _):
        await tab.until(lambda found: found.get("now"))
        await tab.asking_during(one.end)
        away = await tab.until(lambda found: found["list"]["trouble"])
        assert "did not answer" in away["list"]["trouble"]
        assert away["list"]["sessions"][0]["session"] == "a"
        later = await tab.until(lambda found: found["now"]["tick"] > away["now"]["tick"] + 5)
        await tab.asking_during(one.start)
        again = await tab.until(lambda found: found["list"]["trouble"] is None)
        assert again["now"]["tick"] > later["now"]["tick"]

    tab(shown, work)


def test_the_plugin_shows_one_session_without_a_daemon(one):
    with asking(one) as supervisor:
        control = supervisor.find("a")["control"]
    words = [sys.executable, "-m", "decoderd_client", "run", "dashboard", "--control", control, "--port", "0"]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment())
    try:
        port = int(ADDRESS.fullmatch(process.stdout.readline()).group(2))

        async def work(tab, _):
            found = await tab.until(lambda found: found.get("now"))
            assert [session["session"] for session in found["list"]["sessions"]] == ["a"]

        tab(port, work)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=TIMEOUT_S)
        assert (process.returncode, out, err) == (0, "interrupted\n", "")
    finally:
        if process.poll() is None:
            process.kill()
            process.communicate(timeout=TIMEOUT_S)
