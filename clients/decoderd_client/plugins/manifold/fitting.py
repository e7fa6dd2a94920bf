"""Which intuitive decoder a session can have: as the kind of its own decoder says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from decoderd_client.plugins import Unable
from decoderd_client.plugins.manifold import Config, filtered, projected
from decoderd_client.plugins.manifold.gathering import Bins
from decoderd_client.plugins.manifold.intuitive import Arrays, Intuitive


def fitted(config: Config, described: Mapping[str, Any], given: Arrays, bins: Bins, factors: int) -> Intuitive:
    """The intuitive decoder for a session, of the kind it has; `given` are the arrays of the decoder it has now.

    Raises Unable for a decoder that can hold no such mapping, and DecoderdError for what cannot be fitted.
    """
    kind = described["decoder"]["kind"]
    if kind == "linear":
        return projected.fit(given, bins, factors, config.centred)
    protocol = described["protocol"]
    bin_s = described["tick_s"] * described["bin_ticks"]
    return filtered.fit(kind, protocol["decoder"]["calibration"], bins, bin_s, factors, config)


def check(described: Mapping[str, Any], given: Arrays) -> None:
    """Raise Unable unless the session's decoder can hold the mapping of a manifold."""
    kind = described["decoder"]["kind"]
    if kind in ("linear", "intrinsic_manifold"):
        return
    if kind not in ("kalman", "steady_state_kalman"):
        raise Unable(
            f"a decoder of kind {kind!r} has no manifold to be perturbed within or outside of; right are "
            "intrinsic_manifold, linear, kalman and steady_state_kalman"
        )
    if given["A"].shape != (3, 3):
        raise Unable(
            f"the {kind} decoder has a state of {len(given['A'])} entries; the mapping of a manifold needs vx vy 1 "
            '(decoder.state = "velocity")'
        )
