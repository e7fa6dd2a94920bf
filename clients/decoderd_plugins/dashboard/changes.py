"""Carries out what a tab asks to change in a session, and says in words what came of it."""

from __future__ import annotations

import tomllib
from typing import Any

from decoderd_client.control import AsyncSession, AsyncSupervisor
from decoderd_client.keys import ClientKeys
from decoderd_client.requests import ControlError, NoAnswer
from decoderd_plugins.dashboard import requests

ASSIST = "dashboard-assist"
# What a tab may begin with; every kind and every envelope of a protocol can be written in place of it.
TEMPLATES = {
    "rotation": 'name = "turn"\nkind = "rotation"\nsite = "cursor"\nangle_rad = 0.7854\n',
    "gain": 'name = "faster"\nkind = "gain"\nsite = "cursor"\nfactor = 1.5\n',
    "delay": 'name = "late"\nkind = "delay"\nsite = "cursor"\ndelay_s = 0.1\n',
    "noise of rates": 'name = "noise"\nkind = "noise"\nsite = "neural"\nsd_hz = 10.0\n',
    "silence": 'name = "lost"\nkind = "silence"\nsite = "neural"\nfraction = 0.25\n',
    "permutation": 'name = "shuffled"\nkind = "permutation"\nsite = "readout"\nof = "units"\n',
}


class Refused(Exception):
    """A change was not carried out; the message says why."""


async def carry_out(
    change: requests.AnyChange, control: str | None, supervisor: AsyncSupervisor | None, keys: ClientKeys | None
) -> str:
    """Carry out a change; returns what came of it. Raises Refused, with nothing changed."""
    try:
        if isinstance(change, requests.Resume) and supervisor is not None:
            reply = await supervisor.resume(change.session)
            if reply["changed"]:
                return f"a new process goes on, incarnation {reply['incarnation']}"
        if control is None:
            raise Refused(f"{change.session} has no process")
        async with AsyncSession(control, keys=keys) as session:
            return await _of_session(change, session)
    except ControlError as error:
        where = f"{error.field}: " if error.field else ""
        raise Refused(f"{where}{error}") from None
    except ValueError as error:  # what no message can hold, such as a date
        raise Refused(str(error)) from None
    except NoAnswer as error:
        raise Refused(f"{error}: a session that is paused takes it once it goes on") from None


async def _of_session(change: requests.AnyChange, session: AsyncSession) -> str:
    match change:
        case requests.Pause():
            reply = await session.pause()
            return f"paused at tick {reply['tick']}"
        case requests.Resume():
            reply = await session.resume()
            return f"goes on from tick {reply['tick']}"
        case requests.Perturb():
            return ", ".join([await _perturb(session, given) for given in parsed(change.fields)])
        case requests.Unperturb():
            reply = await session.unperturb(change.name)
            return f"{change.name} removed at tick {reply['tick']}"
        case requests.Assist():
            return await _swap_assist(session, change.weight)


async def _perturb(session: AsyncSession, given: dict[str, Any]) -> str:
    reply = await session.perturb(given)
    return f"{given.get('name')} " + (f"added at tick {reply['tick']}" if reply["changed"] else "is there already")


async def _swap_assist(session: AsyncSession, weight: float) -> str:
    """Add the new assist before the old ones are removed: if it is refused, nothing has changed."""
    there = [one for one in (await session.describe())["perturbations"] if one["state"] != "past"]
    old = [one["name"] for one in there if one["config"]["kind"] == "assist"]
    if weight > 0:
        names = (ASSIST if place == 0 else f"{ASSIST}-{place}" for place in range(len(there) + 1))
        name = next(name for name in names if all(name != one["name"] for one in there))
        reply = await session.perturb({"name": name, "kind": "assist", "site": "cursor", "weight": weight})
    for one in old:
        reply = await session.unperturb(one)
    if weight > 0:
        return f"{name} of weight {weight:g} from tick {reply['tick']} on"
    return f"no assist from tick {reply['tick']} on" if old else "there was no assist"


def parsed(text: str) -> list[dict[str, Any]]:
    """The fields of a perturbation, or of all in [[perturbations]]. Raises Refused for text that is not TOML."""
    try:
        given = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise Refused(f"not TOML: {error}") from None
    several = given.get("perturbations", [given])
    if not isinstance(several, list) or not all(isinstance(one, dict) for one in several):
        raise Refused("perturbations: write [[perturbations]] above the fields of each")
    return several
