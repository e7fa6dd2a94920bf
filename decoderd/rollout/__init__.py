"""Many trials at once: the closed loop for a batch, its gradients, and the credit that plasticity learns by."""
