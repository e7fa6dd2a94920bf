"""No plasticity: the population does not learn."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

from decoderd.config import ComponentConfig
from decoderd.plasticity import Plasticity, Progress


class NoneConfig(ComponentConfig):
    """No settings."""

    kind: Literal["none"] = "none"


def init(config: Any, values: Any, targets: int, lead: tuple[int, ...] = ()) -> None:
    """There is no state."""


def learn(config: Any, state: None, values: Any, trial_batch: Any) -> tuple[None, Any]:
    """The values, unchanged."""
    return None, values


def progress(state: None) -> Progress:
    """No updates."""
    return Progress(0, np.array(np.nan))


NONE = Plasticity(NoneConfig, init, learn, progress, None)
