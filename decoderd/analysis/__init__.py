"""Measures on recorded arrays: arrays in, numbers out."""
