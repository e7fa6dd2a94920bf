import numpy as np

from decoderd.spiking import detection

STEP_MS = 0.1


def _found(times_ms):
    """Times of events and of bursts in ms."""
    keep, detector = float(np.exp(-STEP_MS / 16)), detection.fresh(1)
    found: tuple[list[float], list[float]] = [], []
    for step in range(2000):
        spikes = np.array([any(round(t / STEP_MS) == step for t in times_ms)])
        detector, *marks = detection.detected(detector, spikes, keep)
        for times, mark in zip(found, marks, strict=True):
            times.extend([round(step * STEP_MS, 1)] if mark[0] else [])
    return found


def test_two_spikes_within_16_ms_are_a_burst_and_beyond_it_two_events():
    assert _found([10, 25.9]) == ([10], [25.9])
    assert _found([10, 26.1]) == ([10, 26.1], [])


def test_a_burst_counts_once_at_its_second_spike():
    assert _found([10, 20, 30, 40]) == ([10], [20])


def test_a_doublet_lengthens_the_threshold():
    """exp(-t/16) + exp(-(t + 10)/16) = 1/e at t = 22.9 ms."""
    assert _found([10, 20, 42.8]) == ([10], [20])
    assert _found([10, 20, 43.0]) == ([10, 43.0], [20])
