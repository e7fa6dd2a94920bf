"""Within- and outside-manifold perturbations (Payeur, Orsborn & Lajoie 2023)."""
