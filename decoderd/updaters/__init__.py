"""Updaters: closed-loop decoder adaptation (CLDA), which changes a decoder's observation model while it is used."""

from decoderd.updaters.contract import Criterion, DecodedBin, Updater, UpdaterConfig, blended

__all__ = ["Criterion", "DecodedBin", "Updater", "UpdaterConfig", "blended"]
