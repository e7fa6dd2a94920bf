"""What is computed before the first tick: the population, its calibration and decoder, pretraining and its cache."""
