"""Measures on recorded arrays: arrays in, numbers out.

performance: success and times. For compaction: features (counts aligned to reaches), classification (target told from
counts), neuron_adding, combinations, readouts and modes (which units, or modes, tell it), dimensionality and
shared_variance, resampling and days (how sure, and how it changes).
"""
