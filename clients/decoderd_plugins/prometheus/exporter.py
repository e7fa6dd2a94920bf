"""The exporter: follows sessions with asyncio, and answers scrapes over HTTP from a thread of prometheus_client."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.core import Metric
from prometheus_client.registry import Collector

from decoderd_client.control import AsyncSession, AsyncSupervisor, Session, Supervisor
from decoderd_client.keys import ClientKeys
from decoderd_client.plugins import Unable
from decoderd_client.requests import ControlError, NoAnswer
from decoderd_plugins.prometheus import Config, address_of
from decoderd_plugins.prometheus.families import Daemon, daemon_families, session_families
from decoderd_plugins.prometheus.figures import TOPICS, Figures

OnProgress = Callable[[str], None]

DASHBOARD = Path(__file__).with_name("grafana.json")
POLL_S = 1.0
PATIENCE_S = 4.0  # for an answer of the daemon
# States in which a session's messages are to be expected, now or after its process has been resumed.
FOLLOWED = frozenset({"preparing", "running", "paused", "waiting", "crashed"})


class Figured(Collector):
    """What a scrape is answered from: the figures of sessions by name, and of the daemon if there is one."""

    def __init__(self) -> None:
        self.sessions: dict[str, Figures] = {}
        self.daemon: Daemon | None = None

    def collect(self) -> Iterator[Metric]:
        """The metrics now."""
        if self.daemon is not None:
            yield from daemon_families(self.daemon)
        yield from session_families(dict(self.sessions))


def export_session(session: Session, config: Config, on_progress: OnProgress) -> None:
    """Answer with the figures of one session until it ends. Raises Unable if the address cannot be used."""
    name, figured = session.describe()["session"], Figured()
    with _answering(figured, config, on_progress):
        _run(_follow(figured, name, session.endpoint, session.keys), on_progress)
        on_progress("the session is over")


def export_daemon(supervisor: Supervisor, config: Config, on_progress: OnProgress) -> None:
    """Answer with the figures of all sessions until interrupted. Raises Unable if the address cannot be used."""
    health, figured = supervisor.health(), Figured()
    figured.daemon = Daemon(True, health["sessions"], health["restarts"])
    with _answering(figured, config, on_progress):
        asking = AsyncSupervisor(supervisor.endpoint, timeout_s=PATIENCE_S, attempts=1, keys=supervisor.keys)
        _run(_watch(figured, asking), on_progress)


@contextmanager
def _answering(figured: Figured, config: Config, on_progress: OnProgress) -> Iterator[None]:
    registry = CollectorRegistry()
    registry.register(figured)
    host, port = address_of(config.listen)
    try:
        server, thread = start_http_server(port, host, registry)
    except OSError as error:
        raise Unable(f"--listen {config.listen}: {error.strerror or error}: give another address") from None
    shown = f"[{host}]" if ":" in host else host
    on_progress(f"metrics at http://{shown}:{server.server_port}/metrics")
    on_progress(f"a dashboard for Grafana is in {DASHBOARD}")
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _run(work: Coroutine[Any, Any, None], on_progress: OnProgress) -> None:
    try:
        asyncio.run(work)
    except KeyboardInterrupt:
        on_progress("interrupted")


async def _follow(figured: Figured, name: str, control: str, keys: ClientKeys | None) -> None:
    """Sum up the messages of a session until it ends; its figures are gone afterwards."""
    try:
        async with AsyncSession(control, keys=keys) as session:
            figures = Figures(await session.describe())
            async with session.subscribe(TOPICS) as messages:
                figured.sessions[name] = figures
                async for message in messages:
                    figures.receive(message)
    finally:
        figured.sessions.pop(name, None)


async def _follow_while_it_answers(figured: Figured, name: str, control: str, keys: ClientKeys | None) -> None:
    """The same beside other sessions: one that does not answer is given up, and found again by `_watch`."""
    with suppress(ControlError, NoAnswer):
        await _follow(figured, name, control, keys)


async def _watch(figured: Figured, supervisor: AsyncSupervisor) -> None:
    """Follow every session of the daemon while it has a process."""
    following: dict[str, asyncio.Task[None]] = {}
    while True:
        try:
            reply, health = await supervisor.sessions(), await supervisor.health()
        except (ControlError, NoAnswer):
            figured.daemon = Daemon(False, {}, 0)
        else:
            figured.daemon = Daemon(True, health["sessions"], health["restarts"])
            there = {one["session"]: one for one in reply["sessions"] if one["state"] in FOLLOWED and one["control"]}
            for name in [name for name, task in following.items() if task.done() or name not in there]:
                following.pop(name).cancel()
            for name in there.keys() - following.keys():
                follow = _follow_while_it_answers(figured, name, there[name]["control"], supervisor.keys)
                following[name] = asyncio.create_task(follow)
        await asyncio.sleep(POLL_S)
