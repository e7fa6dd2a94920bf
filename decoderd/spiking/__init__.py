"""Spiking neurons, synapses and noise, in steps of a tenth of a millisecond: what networks and populations are made of.

two_compartment   soma and dendrite of a pyramidal neuron, and its variant with drawn bursts
adex              inhibitory neurons
detection         events and bursts of spike trains by a trace
synapses          sparse random connections
short_term        short-term plasticity of synapses
arrivals          Poisson noise, drawn sparsely
exponential       the exponential function from multiplications and additions

Payeur, Guerguiev, Zenke, Richards & Naud (2021), Nat. Neurosci. 24.
"""
