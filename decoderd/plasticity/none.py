"""No plasticity: the population stays as it is."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

from decoderd.config import ComponentConfig
from decoderd.plasticity import Plasticity, Progress


class NoneConfig(ComponentConfig):
    """Nothing to set."""

    kind: Literal["none"] = "none"


def init(config: Any, values: Any, targets: int, lead: tuple[int, ...] = ()) -> None:
    """No state."""


def learn(config: Any, state: None, values: Any, trial_batch: Any) -> tuple[None, Any]:
    """Nothing is learned."""
    return None, values


def progress(state: None) -> Progress:
    """None is made."""
    return Progress(0, np.array(np.nan))


NONE = Plasticity(NoneConfig, init, learn, progress, None)
