"""The error in the dendrites: burst probabilities that follow the error which the subject sees.

The burst probability of unit i is

    P_i = sigmoid(logit(p) + gain (K e)_i)

with p the burst probability without an error, e (m/s) the velocity that the subject's internal model predicts from its
intents less the velocity displayed, after the visual delay, and K (N, 2) the feedback matrix, scaled to rows of root
mean square length 1.

K is the transpose of a decoder: units that would correct the error get more bursts, those that would increase it fewer.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator
from scipy.special import expit, logit

from decoderd.arrays import Array, check_array, times, transposed
from decoderd.config import ComponentConfig, Fraction
from decoderd.errors import ArrayError
from decoderd.populations import subject
from decoderd.state import VELOCITY

# Feedback by the transpose of a decoder: of the first one, and of the present one.
OF_DECODER = ("decoder", "present")


class MatrixConfig(ComponentConfig):
    """Where the feedback matrix K comes from."""

    feedback: Literal["off", "decoder", "present", "learnt", "tuning", "random", "file"] = "off"
    file: Annotated[Path | None, Field(description="of a feedback matrix K, or of a linear decoder")] = None

    @model_validator(mode="after")
    def _file_of_feedback(self) -> Self:
        if self.feedback == "file" and self.file is None:
            raise ValueError("file: is missing; feedback = 'file' reads the feedback matrix from it")
        if self.feedback != "file" and self.file is not None:
            raise ValueError(f"file: is not read with feedback = {self.feedback!r}; set feedback = 'file'")
        return self


class FeedbackConfig(MatrixConfig):
    """Burst probability, and the feedback that changes it."""

    burst_probability: Fraction = 0.2
    feedback_gain_s_m: Annotated[float, Field(strict=True, ge=0, le=1000)] = 25.0


def follows(config: MatrixConfig) -> bool:
    """Whether K follows the present decoder."""
    return config.feedback == "present"


class Drive(NamedTuple):
    """Constants of burst probabilities, computed once."""

    bias: float  # logit of the burst probability without an error
    gain_s_m: float


def drive(config: FeedbackConfig) -> Drive:
    """Constants of burst probabilities."""
    return Drive(float(logit(config.burst_probability)), config.feedback_gain_s_m)


def matrix(
    config: MatrixConfig, generator: np.random.Generator, arrays: Mapping[str, NDArray[Any]], tuning: Array
) -> Array:
    """K (N, 2): zeros without feedback and before it is known or learnt; else drawn, `tuning`, or read.

    tuning (N, 2) is what a unit's event rate gains with the intended velocity. `arrays` of the config's file are
    K (N, 2), or M2 (2, N) of a linear decoder. Raises ArrayError, naming the array, where they do not fit.
    """
    shape = tuning.shape
    if config.feedback in ("off", "learnt", *OF_DECODER):
        return np.zeros(shape)
    if config.feedback == "random":
        return scaled("K", generator.standard_normal(shape))
    if config.feedback == "tuning":
        return scaled("depth_hz", tuning)
    if "K" in arrays:
        return scaled("K", check_array("K", arrays["K"], shape))
    if "M2" in arrays:
        return scaled("M2", check_array("M2", arrays["M2"], shape[::-1]).T)
    n = len(tuning)
    raise ArrayError(f"K: is missing; a file of feedback has K ({n} x 2), or M2 (2 x {n}) of a linear decoder", "K")


def of_decoder(config: MatrixConfig, K: Array, weights: Array | None) -> Array:
    """With feedback of a decoder the transpose of its weights (2, N), else K. Raises ArrayError without any.

    Where counts do not move the cursor at present, there is no feedback.
    """
    if config.feedback not in OF_DECODER:
        return K
    if weights is None:
        raise ArrayError(
            f"feedback = {config.feedback!r}: this decoder has no weight of each unit; take a linear decoder, a "
            "Kalman filter, or feedback = 'tuning'",
            "feedback",
        )
    if config.feedback == "present" and not weights.any():
        return np.zeros(K.shape)
    return scaled("decoder", weights.T)


def scaled(name: str, K: Array) -> Array:
    """K (N, 2) with rows of root mean square length 1. Raises ArrayError, naming its source, for zeros."""
    length = np.sqrt((K**2).sum(axis=1).mean())
    if not length > 0:
        raise ArrayError(f"{name}: is zero everywhere, and so is the feedback; set feedback = 'off' for none", name)
    return np.asarray(K / length)


def seen_error(plan: subject.Plan, state: subject.State, seen: Array) -> Array:
    """The error e (B, 2) in m/s that reaches the subject in this tick; `seen` (B, 4) is the cursor as displayed now."""
    return -subject.prediction_error(plan, state, seen)[:, VELOCITY]


def burst_probability(drive: Drive, K: Array, error: Array) -> Array:
    """Burst probabilities (B, N) at errors (B, 2) in m/s, with one K (N, 2) or one for each (B, N, 2)."""
    return np.asarray(expit(drive.bias + drive.gain_s_m * times(error, transposed(K))))
