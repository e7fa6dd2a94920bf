"""Learning by biases alone (Williams, Payeur, Ryoo, Jiralerspong, Perich, Mazzucato & Lajoie 2025)."""
