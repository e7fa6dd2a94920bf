"""Puts a session on the Lab Streaming Layer (LSL), and lets velocities and markers of other programs into it.

Out: kinematics at every tick, counts at every bin, events. In: a stream of velocities becomes the input `kinematics`, a
stream of markers becomes the input `task`. pylsl and NumPy are imported when it runs, not before.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from decoderd import extras
from decoderd_client.control import Session
from decoderd_client.plugins import Plugin, Unable
from decoderd_plugins.options import as_list


def _as_names(value: Any) -> Any:
    """`velocity=NDS-Behavior,counts=Spikes` as {"velocity": "NDS-Behavior", "counts": "Spikes"}."""
    if not isinstance(value, str):
        return value
    pairs = [part.strip().partition("=") for part in value.split(",")]
    if not all(stream and name for stream, _, name in pairs):
        raise ValueError(f"{value!r} names no stream: write velocity=NAME, or several with commas between them")
    return {stream.strip(): name.strip() for stream, _, name in pairs}


class Config(BaseModel):
    """Which streams go out and come in."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    streams: Annotated[
        tuple[str, ...],
        BeforeValidator(as_list),
        Field(min_length=1, description="streams to put out, with commas between them"),
    ] = ("kinematics", "counts", "events")
    map: Annotated[
        dict[str, str],
        BeforeValidator(_as_names),
        Field(description="STREAM=NAME: put this stream out as well, or under this name in place of its own"),
    ] = {}
    input: Annotated[
        tuple[str, ...],
        BeforeValidator(as_list),
        Field(description="names of LSL streams to take in: velocities (2 channels) or markers (1 channel of text)"),
    ] = ()
    input_scale: Annotated[float, Field(gt=0, description="m/s in one unit of the velocities that come in")] = 1.0
    wait_s: Annotated[float, Field(ge=1, le=600, description="how long a stream that comes in is looked for, s")] = 10.0


def run(session: Session, config: Config, on_progress: Callable[[str], None]) -> None:
    """Bridge a running session until it ends. Raises MissingExtra without pylsl, Unable as `bridge.run` does."""
    try:
        with extras.needed("lsl", "the Lab Streaming Layer"):
            import pylsl  # noqa: F401
    except RuntimeError as error:  # the library that it loads is missing
        raise Unable(f"the package pylsl cannot be imported: {error}") from None
    from decoderd_plugins.lsl import bridge

    bridge.run(session, config, on_progress)


LSL = Plugin(Config, run)
