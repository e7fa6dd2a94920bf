"""The base class of all messages: builds payloads from whole names, reads payloads into objects with whole names.

A model names each field in full and gives the key that stands for it on the wire as its alias. What is built and read
here follows from that; both are compiled once for each model, because a session builds and a client reads a message at
every tick.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Any, ClassVar, ParamSpec, Self

from pydantic import BaseModel, ConfigDict, Field

Fields = ParamSpec("Fields")
Whole = Annotated[int, Field(ge=0)]
Payload = dict[str, Any]

# The slots of a pydantic model, set directly: a client reads a message at every tick, and pydantic's own ways of making
# an instance without validation take several times as long.
_new = object.__new__
_set_values, _set_names, _set_unknown, _set_private = (
    BaseModel.__dict__[slot].__set__
    for slot in ("__dict__", "__pydantic_fields_set__", "__pydantic_extra__", "__pydantic_private__")
)


class Message(BaseModel):
    """What all messages have in common. Readers ignore keys that they do not know."""

    model_config = ConfigDict(frozen=True, extra="allow")

    topic: ClassVar[str]
    _names: ClassVar[set[str]]
    _read: ClassVar[Callable[[Mapping[str, Any]], dict[str, Any]]]

    # Not among the arguments of `build`: they are added once a message is numbered.
    session: str = Field(init=False, alias="s", description="name of the session, the one it was started by")
    sequence: Whole = Field(init=False, alias="q", description="sequence number within the topic, without gaps")
    tick: Whole = Field(init=False, alias="k", description="tick")

    @classmethod
    def __pydantic_init_subclass__(cls, **_: Any) -> None:
        keys = keys_of(cls)
        cls._names = set(keys)
        own = {name: key for name, key in keys.items() if name not in Message.model_fields}
        build = _compiled(f"def build(*, {', '.join(own)}): return {{{_pairs(own, '{key!r}: {name}')}}}", "build")
        build.__qualname__ = f"{cls.__name__}.build"
        build.__doc__ = Message.build.__doc__
        cls.build = staticmethod(build)  # type: ignore[method-assign]
        cls._read = staticmethod(
            _compiled(f"def read(payload): return {{{_pairs(keys, '{name!r}: payload[{key!r}]')}}}", "read")
        )

    @classmethod
    def build(cls: Callable[Fields, Any], *args: Fields.args, **fields: Fields.kwargs) -> Payload:
        """The payload of a message: every field by its whole name, without session, sequence and tick (`numbered`).

        Values are taken as they are and have to be plain Python. Raises TypeError for a field that is missing or
        unknown.
        """
        raise TypeError("only the message of a topic has a payload")

    @classmethod
    def read(cls, payload: Payload, incarnation: int | None = None, sent_ns: int | None = None) -> Self:
        """The message of a payload, values as they are. Keys that are not known are ignored.

        `incarnation` and `sent_ns` are those of the stamp, None for a message from the record. Raises ValueError for a
        payload that lacks a key. To check the values as well: `model_validate(payload)`.
        """
        try:
            values = cls._read(payload)
        except KeyError as key:
            raise ValueError(f"{cls.topic}: the payload has no key {key}") from None
        message = _new(cls)
        _set_values(message, values)
        _set_names(message, cls._names)
        _set_unknown(message, None)
        _set_private(message, {"payload": payload, "incarnation": incarnation, "sent_ns": sent_ns})
        return message

    @property
    def payload(self) -> Payload:
        """The payload as it came, with its short keys; empty unless the message was made by `read`."""
        payload: Payload | None = self._received("payload")
        return payload or {}

    @property
    def incarnation(self) -> int | None:
        """Of the process that sent it, counted from 1; None if the message comes from the record."""
        incarnation: int | None = self._received("incarnation")
        return incarnation

    @property
    def sent_ns(self) -> int | None:
        """The sender's monotonic clock when it was sent, ns; None if the message comes from the record."""
        sent_ns: int | None = self._received("sent_ns")
        return sent_ns

    def _received(self, what: str) -> Any:
        return (self.__pydantic_private__ or {}).get(what)


def keys_of(model: type[Message]) -> dict[str, str]:
    """{whole name of a field: its key on the wire}, in the order of the wire."""
    return {name: field.alias or name for name, field in model.model_fields.items()}


SESSION, SEQUENCE, TICK = keys_of(Message).values()


def numbered(body: Payload, session: str, sequence: int, tick: int) -> Payload:
    """The whole payload of a message: `body` (from `build`) after its session, sequence number and tick."""
    return {SESSION: session, SEQUENCE: sequence, TICK: tick, **body}


def _pairs(keys: Mapping[str, str], form: str) -> str:
    return ", ".join(form.format(name=name, key=key) for name, key in keys.items())


def _compiled(source: str, name: str) -> Any:
    """The function that `source` defines. A source of ours: it holds nothing but names and keys of a model."""
    scope: dict[str, Any] = {}
    exec(source, scope)
    return scope[name]
