"""What a tab gets when it asks: the newest of the session that it shows, and now and then what changes slowly."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from decoderd_plugins.dashboard.following import Followed
from decoderd_plugins.dashboard.sessions import Listed
from decoderd_plugins.dashboard.window import Place

# Of a session's protocol and description, what the page shows.
SHOWN = ("session", "speed", "tick_s", "bin_ticks", "units", "days", "seed", "incarnation")


def newest(followed: Followed, seen: Place) -> dict[str, Any]:
    """The newest tick, with what of the window came after `seen`. None of a session that has not answered yet."""
    place, ticks, spikes = followed.window.since(seen)
    tick = followed.window.newest
    now = None
    if tick is not None:
        names = ("tick", "day", "block", "trial", "phase", "goal", "cursor")
        now = {name: getattr(tick, name) for name in names}
    return {"seen": place, "now": now, "ticks": ticks, "spikes": spikes, "age_s": round(followed.age_s, 3)}


def slow(followed: Followed) -> dict[str, Any]:
    """What changes with trials, days and bins rather than ticks."""
    description, history = followed.description, followed.history
    return {
        "about": None if description is None else about(description),
        "trouble": followed.trouble,
        "rates": [round(rate, 1) for rate in followed.window.rates.tolist()],
        "healths": [[one.tick, one.lateness_us, one.missed_deadlines] for one in followed.healths],
        "pace": pace(followed),
        "missed": followed.missed,
        "days": history.days(),
        "starts": history.day_starts(),
        "targets": [history.targets[index] for index in sorted(history.targets)],
        "outcomes": history.outcomes,
        "perturbations": history.perturbations,
    }


def about(description: Mapping[str, Any]) -> dict[str, Any]:
    """The session's name, length of a tick and others, and the radii of its task (m)."""
    protocol = description["protocol"]
    task = {name: value for name, value in protocol["task"].items() if name.endswith("radius_m")}
    kinds = {part: protocol[part]["kind"] for part in ("task", "population", "decoder")}
    return {**{name: description[name] for name in SHOWN}, "radii": task, "kinds": kinds}


def pace(followed: Followed) -> float | None:
    """Ticks a second over the last health messages; None before the first."""
    wall_s = sum(one.wall_s for one in list(followed.healths)[-8:])
    return round(sum(one.ticks for one in list(followed.healths)[-8:]) / wall_s, 1) if wall_s else None


def listing(listed: Listed, trouble: str | None) -> dict[str, Any]:
    """The sessions and their states."""
    names = ("session", "state", "incarnation", "why")
    return {"sessions": [{name: one.get(name) for name in names} for one in listed], "trouble": trouble}
