"""Decoders: from spike counts of a bin to kinematics."""

from decoderd.decoders.contract import (
    AffineStep,
    Calibration,
    CalibrationData,
    Decoder,
    DecoderConfig,
    FileLayout,
    Observing,
    SideBySide,
    unchanged,
)

__all__ = [
    "AffineStep",
    "Calibration",
    "CalibrationData",
    "Decoder",
    "DecoderConfig",
    "FileLayout",
    "Observing",
    "SideBySide",
    "unchanged",
]
