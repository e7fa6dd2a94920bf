"""Control of a session and of the supervisor: one method for each operation, from ordinary code or asyncio.

Every method returns a Reply, or raises ControlError (with code and field) or NoAnswer. A request that gets no
answer is sent again under its id, so it is carried out once at most. A session that is being prepared is asked again.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any

import zmq
import zmq.asyncio

from decoderd_client.keys import ClientKeys
from decoderd_client.requests import ASKED_AGAIN, ControlError, Exchange, NoAnswer, Reply
from decoderd_client.subscriber import AsyncSubscriber, Subscriber

Fields = Mapping[str, Any]


class _Operations:
    """Base of the operations; `_ask` sends a request. In the asyncio classes every method returns an awaitable."""

    def _ask(self, op: str, **fields: Any) -> Any:
        raise NotImplementedError


class SessionOperations(_Operations):
    """Operations of a session process."""

    def describe(self) -> Any:
        """What the session is and where it stands."""
        return self._ask("describe")

    def health(self) -> Any:
        """Whether its loop runs, and what is on the disk."""
        return self._ask("health")

    def get_decoder(self) -> Any:
        """The decoder's arrays: `reply.array(reply["arrays"][name])` gives shape and bytes (float64, row by row)."""
        return self._ask("get_decoder")

    def missed(self, topic: str, first: int, count: int = 1000) -> Any:
        """Recorded payloads of a topic from sequence number `first` on, as `reply.frames`.

        Fewer than `count` if no more are on the disk yet.
        """
        return self._ask("missed", topic=topic, first=first, count=count)

    def send_input(self, fields: Fields) -> Any:
        """Send an input (wire.inputs); the reply names the tick that consumed it."""
        return self._ask("input", input=dict(fields))

    def perturb(self, perturbation: Fields) -> Any:
        """Add a perturbation: the fields of a protocol's [[perturbations]]."""
        return self.send_input({"op": "perturb", "perturbation": dict(perturbation)})

    def unperturb(self, name: str) -> Any:
        """Remove a perturbation."""
        return self.send_input({"op": "unperturb", "name": name})

    def task_event(self, event: str, **fields: Any) -> Any:
        """start, go or end of a trial, for the `external` task: target (m), radius_m, index, outcome."""
        return self.send_input({"op": "task", "event": event, **fields})

    def kinematics(self, velocity: tuple[float, float], position: tuple[float, float] | None = None) -> Any:
        """Decoded kinematics (m/s, m), for the `external` decoder."""
        more = {} if position is None else {"position": position}
        return self.send_input({"op": "kinematics", "velocity": velocity, **more})

    def intent(self, velocity: tuple[float, float]) -> Any:
        """The velocity that the subject intends from now on (m/s), for a population with an `external` subject."""
        return self.send_input({"op": "intent", "velocity": velocity})

    def set_decoder(self, arrays: Mapping[str, tuple[Iterable[int], bytes]]) -> Any:
        """Exchange the decoder's arrays: {name: (shape, float64 little-endian row by row)}."""
        packed = {name: {"shape": list(shape), "data": data} for name, (shape, data) in arrays.items()}
        return self.send_input({"op": "decoder", "arrays": packed})

    def metrics(self, source: str, values: Mapping[str, float], day: int | None = None) -> Any:
        """Publish numbers under the name `source` to all subscribers of the topic `metrics`."""
        more = {} if day is None else {"day": day}
        return self.send_input({"op": "metrics", "source": source, "values": dict(values), **more})

    def pause(self) -> Any:
        """Let no more ticks pass."""
        return self._ask("pause")

    def resume(self) -> Any:
        """Go on."""
        return self._ask("resume")

    def stop(self) -> Any:
        """End the process at the next tick, with everything stored."""
        return self._ask("stop")

    def checkpoint(self) -> Any:
        """Write all that has happened to the disk."""
        return self._ask("checkpoint")

    def join(self, participant: str) -> Any:
        """Take part in lockstep (again)."""
        return self._ask("join", participant=participant)

    def grant(self, participant: str, until: int, inputs: Iterable[Fields] = (), want: Iterable[str] = ()) -> Any:
        """Let the session run until so many ticks, trials or days are over."""
        return self._ask("grant", participant=participant, until=until, inputs=list(inputs), want=list(want))

    def leave(self, participant: str) -> Any:
        """Take part in lockstep no more."""
        return self._ask("leave", participant=participant)


class SupervisorOperations(_Operations):
    """Operations of `decoderd serve`."""

    def sessions(self) -> Any:
        """All sessions, as `reply["sessions"]`."""
        return self._ask("list")

    def find(self, session: str) -> Any:
        """One session: state, stream and control endpoints."""
        return self._ask("describe", session=session)

    def start(
        self,
        session: str,
        protocol: Fields,
        speed: str = "realtime",
        lockstep: Fields | None = None,
        late: str = "catch-up",
    ) -> Any:
        """Begin a session of a protocol given as a map."""
        return self._ask("start", session=session, protocol=dict(protocol), speed=speed, lockstep=lockstep, late=late)

    def resume(self, session: str) -> Any:
        """Go on with a session whose process has ended."""
        return self._ask("resume", session=session)

    def stop(self, session: str) -> Any:
        """Stop its process."""
        return self._ask("stop", session=session)

    def health(self) -> Any:
        """How the supervisor and its sessions do."""
        return self._ask("health")


class _Endpoint:
    """Where to send requests, how long to wait for a reply, and how often to send again."""

    _asked_again: frozenset[str] = frozenset()  # operations to ask for again while the service is busy

    def __init__(
        self, endpoint: str, timeout_s: float = 5.0, attempts: int = 3, keys: ClientKeys | None = None
    ) -> None:
        self.endpoint, self.keys = endpoint, keys
        self._timeout_ms, self._attempts = int(timeout_s * 1e3), attempts

    def _prepare(self, socket: zmq.Socket[Any]) -> None:
        """Connect a socket. Raises ValueError, with the socket closed, for text that is no endpoint."""
        socket.setsockopt(zmq.LINGER, 0)
        socket.setsockopt(zmq.SNDTIMEO, self._timeout_ms)  # a client whose key is refused cannot send at all
        if self.keys is not None:
            self.keys.introduce(socket)
        try:
            socket.connect(self.endpoint)
        except zmq.ZMQError:
            socket.close()
            raise ValueError(f"{self.endpoint!r} is no endpoint: expected tcp://HOST:PORT or ipc://PATH") from None

    def _patient_until(self) -> float:
        """Until when a request is sent again to a session that is being prepared (s)."""
        return time.monotonic() + self._attempts * self._timeout_ms / 1e3

    def _no_answer(self, op: str) -> NoAnswer:
        waited = f"{self._attempts} x {self._timeout_ms / 1e3:g} s"
        return NoAnswer(f"{self.endpoint} did not answer to {op!r} in {waited}")


class _Blocking(_Endpoint):
    """Sends requests and waits for their replies."""

    def __init__(
        self, endpoint: str, timeout_s: float = 5.0, attempts: int = 3, keys: ClientKeys | None = None
    ) -> None:
        super().__init__(endpoint, timeout_s, attempts, keys)
        self._socket: zmq.Socket[Any] = zmq.Context.instance().socket(zmq.DEALER)
        self._prepare(self._socket)

    def _ask(self, op: str, **fields: Any) -> Reply:
        until = self._patient_until()
        while True:
            try:
                return self._exchange(op, fields)
            except ControlError as error:
                if error.code != "busy" or op not in self._asked_again or time.monotonic() > until:
                    raise

    def _exchange(self, op: str, fields: Fields) -> Reply:
        exchange = Exchange(op, fields, self._attempts)
        while due := exchange.due():
            for frames in due:
                with suppress(zmq.Again):
                    self._socket.send_multipart(frames)
            while self._socket.poll(self._timeout_ms):
                if (reply := exchange.read(self._socket.recv_multipart())) is not None:
                    return reply
        raise self._no_answer(op)

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()

    def __enter__(self) -> Any:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


class _Asyncio(_Endpoint):
    """Sends requests and awaits their replies."""

    async def _ask(self, op: str, **fields: Any) -> Reply:
        until = self._patient_until()
        while True:
            try:
                return await self._exchange(op, fields)
            except ControlError as error:
                if error.code != "busy" or op not in self._asked_again or time.monotonic() > until:
                    raise

    async def _exchange(self, op: str, fields: Fields) -> Reply:
        exchange = Exchange(op, fields, self._attempts)
        # A socket for each request: several may be under way at once.
        socket = zmq.asyncio.Context.instance().socket(zmq.DEALER)
        try:
            self._prepare(socket)
            while due := exchange.due():
                for frames in due:
                    with suppress(zmq.Again):
                        await socket.send_multipart(frames)
                while await socket.poll(self._timeout_ms):
                    if (reply := exchange.read(await socket.recv_multipart())) is not None:
                        return reply
        finally:
            socket.close()
        raise self._no_answer(op)

    async def __aenter__(self) -> Any:
        return self

    async def __aexit__(self, *error: object) -> None:
        pass


class Session(_Blocking, SessionOperations):
    """Control of a session process."""

    _ask = _Blocking._ask
    _asked_again = ASKED_AGAIN

    def subscribe(self, topics: Iterable[str], from_start: bool = False) -> Subscriber:
        """Follow the stream from now on, or from the session's beginning."""
        return Subscriber(self, topics, from_start)


class AsyncSession(_Asyncio, SessionOperations):
    """Control of a session process, with asyncio."""

    _ask = _Asyncio._ask
    _asked_again = ASKED_AGAIN

    def subscribe(self, topics: Iterable[str], from_start: bool = False) -> AsyncSubscriber:
        """Follow the stream from now on, or from the session's beginning."""
        return AsyncSubscriber(self, topics, from_start)


class Supervisor(_Blocking, SupervisorOperations):
    """Control of `decoderd serve`."""

    _ask = _Blocking._ask

    def session(self, name: str) -> Session:
        """Control of one of its sessions. Raises ControlError if it has no process."""
        found = self.find(name)
        if found["control"] is None:
            why = f" ({found['why']})" if found.get("why") else ""
            raise ControlError("over", f"session {name!r} is {found['state']}{why}", "session")
        return Session(found["control"], self._timeout_ms / 1e3, self._attempts, self.keys)


class AsyncSupervisor(_Asyncio, SupervisorOperations):
    """Control of `decoderd serve`, with asyncio."""

    _ask = _Asyncio._ask
