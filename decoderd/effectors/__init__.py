"""Effectors: what the decoded kinematics move."""

from decoderd.effectors.contract import Effector

__all__ = ["Effector"]
