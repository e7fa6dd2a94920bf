"""The dashboard in Chromium: frames a second, frozen tabs, other sites, its policy, accessibility, restarts.

Needs Chromium (`apt-get install chromium`), npm for axe-core, and a machine that is otherwise idle. Pictures of the
page are left in build/dashboard.
"""

from __future__ import annotations

import asyncio
import functools
import json
import re
import shutil
import signal
import subprocess
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

pytest.importorskip("websockets")

from tests.campaigns.chromium import chromium, page
from tests.protocols import centre_out, lasting
from tests.running import TIMEOUT_S, record, start, stored
from tests.service.serving import asking, daemon, wait_for

ROOT = Path(__file__).resolve().parents[2]
PICTURES = ROOT / "build" / "dashboard"
AXE = "axe-core@4.10.3"
# 100 ticks a second, 200 units.
LIVE = lasting(3600.0, population={"kind": "tuned", "units": 200}, task={"kind": "centre_out"})
# Days that pass in seconds, with perturbations that come and go.
DAYS = centre_out(
    name="days",
    schedule={"days": 200, "blocks": [{"name": "only", "trials": 8}]},
    population={"kind": "tuned", "units": 96},
    task={"kind": "centre_out"},
    perturbations=[
        {
            "name": name,
            **fields,
            "envelope": {"shape": "block", "start": {"day": first}, "stop": {"day": last}},
        }
        for name, first, last, fields in (
            ("turned", 3, 7, {"kind": "rotation", "site": "cursor", "angle_rad": 0.9}),
            ("weak", 5, 9, {"kind": "gain", "site": "neural", "factor": 0.6}),
            ("assisted", 8, 11, {"kind": "assist", "site": "cursor", "weight": 0.5}),
        )
    ],
)
DRAWN = "Number(document.body.dataset.drawn ?? 0)"


@contextmanager
def showing(*options):
    """`decoderd dashboard`: gives its address and its process."""
    process = start("dashboard", *options)
    try:
        found = re.fullmatch(r"dashboard at (\S+)\n", process.stdout.readline())
        assert found, process.stderr.read()
        yield found.group(1), process
    finally:
        process.kill()
        process.communicate(timeout=TIMEOUT_S)


@contextmanager
def live(folder, *options, protocol=LIVE):
    """A daemon with a session `live` that runs, and a dashboard: gives the daemon, the address and the process."""
    data = folder / "data"
    data.mkdir()
    with daemon(data) as one, asking(one) as supervisor:
        supervisor.start("live", protocol)
        wait_for(lambda: supervisor.find("live")["state"] == "running", TIMEOUT_S)
        with showing("--port", "0", "--supervisor", one.control, *options) as (address, process):
            yield one, address, process


async def frames_a_second(tab, seconds=10.0):
    """Pictures drawn of new ticks, a second."""
    script = f"[{DRAWN}, performance.now()]"
    first, began_ms = await tab.value(script)
    await asyncio.sleep(seconds)
    last, ended_ms = await tab.value(script)
    return 1e3 * (last - first) / (ended_ms - began_ms)


def connections(port):
    """Established connections to this port of loopback."""
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return sum(row[1].endswith(f":{port:04X}") and row[3] == "01" for row in rows)


def memory_mib(process):
    """Resident memory of a process."""
    status = Path(f"/proc/{process.pid}/status").read_text()
    return int(re.search(r"VmRSS:\s+(\d+) kB", status).group(1)) / 1024


@pytest.mark.campaign
def test_sixty_frames_a_second(tmp_path, capsys):
    async def go(port, address):
        async with page(port, address) as tab:
            await tab.until(f"{DRAWN} > 120")
            rate = await frames_a_second(tab)
            console, requested = tab.console(), tab.requested()
        with capsys.disabled():
            print(f"\n{rate:.1f} frames a second over 10 s, 100 ticks a second, 200 units")
        assert rate >= 58
        assert console == []
        assert all(re.match(rf"(http|ws)://{re.escape(address[7:])}", one) for one in requested)

    with live(tmp_path) as (_, address, _), chromium(tmp_path) as port:
        asyncio.run(go(port, address))


@pytest.mark.campaign
def test_a_frozen_tab_is_dropped_and_makes_no_tick_late(tmp_path, capsys):
    async def go(port, address, process):
        here = int(address.rpartition(":")[2].strip("/"))
        async with page(port, address) as first, page(port, address) as second, page(port, address) as frozen:
            for tab in (first, second, frozen):
                await tab.until(f"{DRAWN} > 30")
            assert await asyncio.to_thread(connections, here) == 3
            before = memory_mib(process)
            await frozen.ask("Debugger.enable")
            await frozen.ask("Debugger.pause")
            await asyncio.sleep(30)
            assert await asyncio.to_thread(connections, here) == 2
            grown = memory_mib(process) - before
            for tab in (first, second):
                drawn = await tab.value(DRAWN)
                await tab.until(f"{DRAWN} > {drawn} + 30")
            await frozen.ask("Debugger.resume")  # it connects again
            drawn = await frozen.value(DRAWN)
            await frozen.until(f"{DRAWN} > {drawn} + 30")
        return grown

    with (
        live(tmp_path) as (one, address, process),
        chromium(tmp_path) as port,
        asking(one) as supervisor,
        supervisor.session("live") as session,
    ):
        first_tick = session.describe()["tick"]
        grown = asyncio.run(go(port, address, process))
        last_tick = session.checkpoint()["tick"]
        late = missed_between(session, first_tick, last_tick)
    with capsys.disabled():
        print(f"\n{late} of {last_tick - first_tick} ticks missed their deadline; memory grew by {grown:.1f} MiB")
    assert late == 0
    assert grown < 10


def missed_between(session, first, last):
    """Ticks of `health` messages between two ticks that missed their deadline."""
    missed = 0
    with session.subscribe(["health"], from_start=True) as messages:
        while (message := messages.next(timeout_s=2.0)) is not None and message.tick < last:
            missed += message.missed_deadlines if message.tick > first else 0
    return missed


class OtherSite(BaseHTTPRequestHandler):
    """A page of another site that tries to read the dashboard on this port."""

    def __init__(self, dashboard, *arguments):
        self._dashboard = dashboard
        super().__init__(*arguments)

    def do_GET(self):
        script = f"""<!doctype html><title>waiting</title><script>
          const socket = new WebSocket("ws://127.0.0.1:{self._dashboard}/stream");
          const outcomes = [];
          const add = (one) => {{
            outcomes.push(one);
            if (outcomes.length === 2) document.title = outcomes.sort().join();
          }};
          socket.onopen = () => add("socket open"); socket.onerror = () => add("socket refused");
          fetch("http://127.0.0.1:{self._dashboard}/").then(() => add("page read"), () => add("page refused"));
        </script>"""
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(script.encode())

    def log_message(self, *_):
        pass


@pytest.mark.campaign
def test_pages_of_other_sites_read_nothing(tmp_path):
    async def go(port, address, other):
        here = int(address.rpartition(":")[2].strip("/"))
        async with page(port, f"http://127.0.0.1:{other}/") as tab:
            await tab.until("document.title !== 'waiting'")
            assert await tab.value("document.title") == "page refused,socket refused"
        async with page(port, f"http://attacker.example:{here}/") as tab:
            assert await tab.value("document.body.innerText") == f"open http://127.0.0.1:{here}/\n"

    with live(tmp_path) as (_, address, _):
        handler = functools.partial(OtherSite, int(address.rpartition(":")[2].strip("/")))
        rebound = "--host-resolver-rules=MAP attacker.example 127.0.0.1"
        with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server, chromium(tmp_path, resolver=rebound) as port:
            threading.Thread(target=server.serve_forever, daemon=True).start()
            asyncio.run(go(port, address, server.server_port))
            server.shutdown()


@pytest.fixture(scope="module")
def axe(tmp_path_factory):
    """The script of axe-core."""
    if shutil.which("npm") is None:
        pytest.skip("npm is not installed")
    folder = tmp_path_factory.mktemp("axe")
    done = subprocess.run(["npm", "pack", "--silent", AXE], cwd=folder, capture_output=True, text=True, timeout=300)
    if done.returncode:
        pytest.skip(f"axe-core cannot be had: {done.stderr}")
    subprocess.run(["tar", "xzf", done.stdout.split()[-1], "package/axe.min.js"], cwd=folder, check=True)
    return (folder / "package" / "axe.min.js").read_text(encoding="utf-8")


@pytest.mark.campaign
def test_pictures_and_accessibility_in_light_and_dark(tmp_path, axe):
    """Of a page in use: control, a table that is open, a message that is shown. The policy is never violated."""

    async def go(port, address):
        async with page(port, f"{address}#session=days") as tab:
            await tab.until("document.querySelectorAll('#days tbody tr').length > 10")
            await tab.value("document.getElementById('perturb').requestSubmit()")
            await tab.until("document.getElementById('control-said').textContent.includes('added at tick')")
            for scheme in ("light", "dark"):
                await tab.ask(
                    "Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}]
                )
                (PICTURES / f"{scheme}.png").write_bytes(await tab.picture(1280))
                await tab.value("document.querySelector('details').open = true")
                await tab.value(axe)
                found = await tab.value("axe.run().then((found) => found.violations)")
                faults = [
                    (one["id"], one["impact"], [node["html"] for node in one["nodes"]])
                    for one in found
                    if one["impact"] in ("serious", "critical")
                ]
                await tab.value("document.querySelector('details').open = false")
                assert faults == [], json.dumps(faults, indent=1)
            (PICTURES / "narrow.png").write_bytes(await tab.picture(420))
            assert tab.console() == []

    PICTURES.mkdir(parents=True, exist_ok=True)
    with live(tmp_path, "--control") as (one, address, _), chromium(tmp_path) as port, asking(one) as supervisor:
        supervisor.start("days", DAYS, speed="5")
        asyncio.run(go(port, address))


@pytest.mark.campaign
def test_the_keyboard_reaches_everything(tmp_path):
    async def press(tab, key, code):
        for kind in ("keyDown", "keyUp"):
            text = {"text": "\r"} if key == "Enter" and kind == "keyDown" else {}
            await tab.ask("Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=code, **text)

    async def go(port, address, supervisor):
        async with page(port, address) as tab:
            await tab.until(f"{DRAWN} > 10 && !document.getElementById('controls').hidden")
            await tab.value("document.getElementById('template').focus()")
            reached = []
            for _ in range(20):
                await press(tab, "Tab", 9)
                name = "document.activeElement.id || document.activeElement.textContent"
                reached.append(await tab.value(name))
            wanted = {"hold", "pause", "fields", "weight", "template", "live: running", "Skip to the session"}
            assert wanted <= set(reached), reached
            await tab.value("document.getElementById('pause').focus()")
            await press(tab, "Enter", 13)
            await tab.until("document.title.startsWith('live: paused')")
            assert supervisor.find("live")["state"] == "paused"
            await tab.until("document.getElementById('said').textContent.includes('live is paused')")

    with live(tmp_path, "--control") as (one, address, _), chromium(tmp_path) as port, asking(one) as supervisor:
        asyncio.run(go(port, address, supervisor))


@pytest.mark.campaign
def test_restarts_of_daemon_and_dashboard_are_survived(tmp_path):
    async def go(port, address, one, stop):
        trouble = "document.getElementById('trouble').textContent"
        async with page(port, address) as tab:
            await tab.until(f"{DRAWN} > 10")
            await asyncio.to_thread(one.end)
            await tab.until(f"{trouble}.includes('did not answer')")
            drawn = await tab.value(DRAWN)
            await tab.until(f"{DRAWN} > {drawn} + 30")  # the session goes on without a daemon
            with daemon(tmp_path / "data", control=one.control):
                await tab.until(f"{trouble} === ''")
                await asyncio.to_thread(stop)
                await tab.until(f"{trouble}.includes('dashboard does not answer')")
                options = ("--port", address.rpartition(":")[2].strip("/"), "--supervisor", one.control)
                with showing(*options):
                    await tab.until(f"{trouble} === ''")
                    drawn = await tab.value(DRAWN)
                    await tab.until(f"{DRAWN} > {drawn} + 30")

    with live(tmp_path) as (one, address, process), chromium(tmp_path) as port:

        def stop():
            process.send_signal(signal.SIGINT)
            process.wait(TIMEOUT_S)

        asyncio.run(go(port, address, one, stop))


@pytest.mark.campaign
def test_a_dashboard_that_is_stopped_for_half_a_minute_changes_nothing(tmp_path, capsys):
    async def go(port, address, process):
        async with page(port, address) as tab:
            await tab.until(f"{DRAWN} > 10")
            process.send_signal(signal.SIGSTOP)
            await asyncio.sleep(30)
            process.send_signal(signal.SIGCONT)
            drawn = await tab.value(DRAWN)
            await tab.until(f"{DRAWN} > {drawn} + 60")

    protocol = {**LIVE, "name": "live", "schedule": {"days": 1, "blocks": [{"name": "only", "duration_s": 60.0}]}}
    record(tmp_path / "alone", protocol, name="live")
    with (
        live(tmp_path, protocol=protocol) as (one, address, process),
        chromium(tmp_path) as port,
        asking(one) as supervisor,
        supervisor.session("live") as session,
    ):
        asyncio.run(go(port, address, process))
        wait_for(lambda: supervisor.find("live")["state"] == "done", 120)
        late = missed_between(session, 0, 6000)
    with capsys.disabled():
        print(f"\n{late} of 6000 ticks missed their deadline")
    assert stored(tmp_path / "data" / "live") == stored(tmp_path / "alone")
    assert late == 0
