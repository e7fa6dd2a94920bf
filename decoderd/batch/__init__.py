"""Many sessions of one protocol computed side by side, with the results that each has by itself."""
