"""Populations: task and feedback in, firing rates and spike counts out."""

from decoderd.populations.contract import COUNTS, BatchRollout, Layered, Plastic, Population, Spikes, WeightedSum

__all__ = ["COUNTS", "BatchRollout", "Layered", "Plastic", "Population", "Spikes", "WeightedSum"]
