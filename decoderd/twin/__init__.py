"""From a recording to a closed loop: a population with the recorded statistics, its decoder and a protocol."""
