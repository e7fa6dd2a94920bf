"""Published results, made again: `decoderd reproduce`. One folder a work, and what they share.

assistive      learning over days beside an adapting decoder, and schedules of adaptation (Rajeswaran et al. 2024)
manifold       perturbations within and outside the manifold, of two kinds of networks (Payeur et al. 2023)
bias           learning by biases alone (Williams et al. 2025)
bursts         the burst code and burst-dependent plasticity, in parts (Payeur et al. 2021; Naud et al. 2022)
recipes        the protocols of the experiments, as TOML

catalogue      the table of experiments that the command line offers
bands          ranges in which published values are expected, and whether a value lies in them
report         one self-contained HTML page about an experiment
pretrained     pretrained individuals of a recipe, and experiments that are run with them
"""
