"""Twins of recorded populations: a recording -> a population with its statistics, its decoder, a protocol."""
