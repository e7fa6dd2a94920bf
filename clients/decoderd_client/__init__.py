"""Client of decoderd: control sessions, follow their streams, take part in lockstep; from ordinary code or asyncio.

    with Session("tcp://127.0.0.1:5571") as session:
        print(session.describe()["tick"])
        for message in session.subscribe(["tick", "trial"]):
            print(message.topic, message.payload)

Needs pyzmq, msgpack and `decoderd.wire`, nothing else of decoderd.
"""

from decoderd_client.asking import AsyncSession, AsyncSupervisor, Session, Supervisor
from decoderd_client.conversation import ControlError, NoAnswer, Reply
from decoderd_client.keys import ClientKeys
from decoderd_client.participant import Participant
from decoderd_client.sequence import Message
from decoderd_client.subscribing import AsyncSubscriber, Subscriber

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
    "Subscriber",
    "Supervisor",
]
