"""Client of decoderd: control sessions, follow their streams, take part in lockstep; from ordinary code or asyncio.

    with Session("tcp://127.0.0.1:5571") as session:
        print(session.describe()["tick"])
        for message in session.subscribe(["trial"]):
            print(message.trial, message.outcome)

Needs pyzmq, msgpack and `decoderd.wire`, nothing else of decoderd.
"""

from decoderd.wire.message import Message
from decoderd_client.control import AsyncSession, AsyncSupervisor, Session, Supervisor
from decoderd_client.keys import ClientKeys
from decoderd_client.participant import Participant, StepResult
from decoderd_client.requests import ControlError, NoAnswer, Reply
from decoderd_client.subscriber import AsyncSubscriber, Subscriber

__all__ = [
    "AsyncSession",
    "AsyncSubscriber",
    "AsyncSupervisor",
    "ClientKeys",
    "ControlError",
    "Message",
    "NoAnswer",
    "Participant",
    "Reply",
    "Session",
    "StepResult",
    "Subscriber",
    "Supervisor",
]
