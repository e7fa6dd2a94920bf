"""Fits to recordings with continuous kinematics: lag, decoder and its cross-validation, a twin of the population."""
