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
from websockets.exceptions import InvalidStatus

from tests.protocols import lasting
from tests.running import TIMEOUT_S, environment, start
from tests.service.serving import asking, daemon, wait_for

TURN = 'name = "turn"\nkind = "rotation"\nsite = "cursor"\nangle_rad = 0.5\n'
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
    with showing("--control", "--supervisor", one.control) as (port, _):
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

    def __init__(self, socket, may):
        self._socket, self._seen, self._answers, self.may = socket, None, [], may

    async def frame(self, session, slow=False):
        """Ask for a frame."""
        seen = {} if self._seen is None else {"seen": self._seen}
        await self._socket.send(json.dumps({"op": "frame", "session": session, "slow": slow, **seen}))
        while (reply := json.loads(await asyncio.wait_for(self._socket.recv(), TIMEOUT_S)))["op"] != "frame":
            self._answers.append(reply)
        self._seen = reply.get("seen", self._seen)
        return reply

    async def change(self, op, outcome="done", **fields):
        """Ask for a change, and for frames until it is answered; returns the text of the answer."""
        await self._socket.send(json.dumps({"op": op, "session": "a", "number": 7, **fields}))
        async with asyncio.timeout(TIMEOUT_S):
            while not self._answers:
                await self.frame("a")
                await asyncio.sleep(0.02)
        reply = self._answers.pop()
        assert (reply["op"], reply["number"]) == (outcome, 7), reply
        return reply["text"]

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
            may = json.loads(await socket.recv())
            await work(Tab(socket, may["control"]), socket)

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
    assert fetched(shown, "/stream")[0] == 200

    async def foreign(origin):
        with pytest.raises(InvalidStatus) as caught:
            async with connect(f"ws://127.0.0.1:{shown}/stream", origin=origin):
                pass
        return caught.value.response.status_code

    assert asyncio.run(foreign("http://attacker.example")) == 403
    assert asyncio.run(foreign(f"http://127.0.0.1:{shown + 1}")) == 403


def perturbations(found):
    """{name: whether it is on} of a frame's slow part."""
    return {one["name"]: one["off"] is None for one in found["slow"]["perturbations"]}


def test_perturbations_are_added_and_removed(shown):
    async def work(tab, _):
        assert tab.may is True
        assert (await tab.change("perturb", fields=TURN)).startswith("turn added at tick ")
        assert await tab.change("perturb", fields=TURN) == "turn is there already"
        await tab.until(lambda found: perturbations(found).get("turn"))
        assert (await tab.change("unperturb", name="turn")).startswith("turn removed at tick ")
        await tab.until(lambda found: perturbations(found)["turn"] is False)

    tab(shown, work)


def test_what_is_no_perturbation_is_refused(shown):
    async def work(tab, _):
        for fields, reason in (
            ("name = turn", "not TOML"),
            ('name = "x"\nkind = "twist"', "twist"),
            (TURN + "angle = 1\n", "angle"),
            (TURN + "when = 2020-01-01\n", "cannot be sent"),
            ("", "kind"),
        ):
            assert reason in await tab.change("perturb", "refused", fields=fields)

    tab(shown, work)


def test_the_assist_is_swapped(one, shown):
    def weights():
        return [config["weight"] for config in on(one)]

    async def work(tab, _):
        assert await tab.change("assist", weight=0) == "there was no assist"
        await tab.change("assist", weight=0.5)
        await tab.change("assist", weight=0.25)
        assert await asyncio.to_thread(weights) == [0.25]
        mine = 'name = "mine"\nkind = "assist"\nsite = "cursor"\nweight = 0.1'
        await tab.change("perturb", fields=mine)
        assert "weight 0.75" in await tab.change("assist", weight=0.75)
        assert await asyncio.to_thread(weights) == [0.75]
        assert (await tab.change("assist", weight=0)).startswith("no assist from tick ")
        assert await asyncio.to_thread(weights) == []

    tab(shown, work)


def on(one):
    """The fields of the perturbations that are on."""
    with asking(one) as supervisor, supervisor.session("a") as session:
        return [found["config"] for found in session.describe()["perturbations"] if found["state"] == "on"]


def test_a_session_is_paused_resumed_and_begun_again(one, shown):
    def state(found):
        return found["list"]["sessions"][0]["state"]

    def stop():
        with asking(one) as supervisor:
            supervisor.stop("a")

    async def work(tab, _):
        assert (await tab.change("pause")).startswith("paused at tick ")
        await tab.until(lambda found: state(found) == "paused")
        assert (await tab.change("resume")).startswith("goes on from tick ")
        before = await tab.until(lambda found: found.get("now") and state(found) == "running")
        await tab.asking_during(stop)
        await tab.until(lambda found: state(found) == "stopped")
        assert "incarnation 2" in await tab.change("resume")
        again = await tab.until(lambda found: state(found) == "running" and found["slow"]["about"]["incarnation"] == 2)
        await tab.until(lambda found: found["now"] and found["now"]["tick"] > before["now"]["tick"])
        assert again["seen"][0] > before["seen"][0]

    tab(shown, work)


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
