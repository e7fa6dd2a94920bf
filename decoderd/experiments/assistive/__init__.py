"""Learning over days while the decoder is adapted (Rajeswaran, Payeur, Orsborn & Lajoie 2024)."""
