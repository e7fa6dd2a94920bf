"""Burst-dependent plasticity and the burst code: `decoderd reproduce bursts` (Payeur et al. 2021; Naud et al. 2022)."""
