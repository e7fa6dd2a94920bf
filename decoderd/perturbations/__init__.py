"""Perturbations: changes of the closed loop, each a transform at a site under an envelope."""

from decoderd.perturbations.contract import (
    Begin,
    CursorTransform,
    FeedbackTransform,
    NeuralTransform,
    Perturbation,
    PerturbationConfig,
    ReadoutTransform,
    SessionInfo,
    Streams,
    Transform,
    chosen,
)
from decoderd.perturbations.sites import SITES, ActivePerturbation, PerturbationContext, Site

__all__ = [
    "SITES",
    "ActivePerturbation",
    "Begin",
    "CursorTransform",
    "FeedbackTransform",
    "NeuralTransform",
    "Perturbation",
    "PerturbationConfig",
    "PerturbationContext",
    "ReadoutTransform",
    "SessionInfo",
    "Site",
    "Streams",
    "Transform",
    "chosen",
]
