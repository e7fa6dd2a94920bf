"""Event rate and burst fraction: two signals that one spike train carries.

A spike that follows the one before it by more than a threshold begins an event. An event of two or more spikes is a
burst; it counts once, in the bin of its first spike. The rate of events is one signal, the fraction of events that are
bursts is the other (Payeur et al. 2021, Nat. Neurosci. 24; Naud et al. 2022, bioRxiv 2022.10.07.511138).

events      events of spike times, or of counts in ticks
fraction    sums of events in bins, their ratios, and what of the burst fraction is chance
changes     two conditions compared; bins at which the burst fraction changes
"""
