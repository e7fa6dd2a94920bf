"""Population `linear`: a static linear network with Gaussian noise that learns by gradient descent."""
