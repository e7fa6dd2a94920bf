"""Batches of trials: their closed loop, its gradients, and the losses and gradients that plasticity learns from."""
