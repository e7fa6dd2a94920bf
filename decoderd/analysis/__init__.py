"""Measures on recorded arrays: arrays in, numbers out.

performance                 success rate, times, learning amount
features, classification    counts of reaches as a tensor; the target predicted from them
neuron_adding, combinations, readouts, modes
                            which units, or principal components, predict the target, and how many are needed
dimensionality, shared_variance
                            participation ratio; shared variance by factor analysis
manifolds, candidates, open_loop, strategies
                            intrinsic manifolds, perturbations of their readout, strategies of learning
bursts                      event rate and burst fraction of spike trains
stability                   whether a matrix that changes stays stable
resampling, days            intervals and tests; change over days
"""
