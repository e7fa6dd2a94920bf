"""The events and bursts of `burst_process` unit after unit, for the compiler: the same bits as with arrays.

Arrays of one type are put together, so that the compiler makes one version of the loop, whatever arrays a tick has.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from decoderd.arrays import Array
from decoderd.populations.renewal import FASTEST
from decoderd.spiking.compilation import loop


@loop
def advance(
    refractory_s: float,
    threshold_s: float,
    interval_s: tuple[float, float],
    spikes: tuple[int, int],
    mean_duration_s: float,
    duration_s: float,
    numbers: Array,
    marks: NDArray[np.uint8],
    uniform: Array,
    numbers_after: Array,
    marks_after: NDArray[np.uint8],
) -> None:
    """Let time pass for B x N units; fills `numbers_after` and `marks_after`.

    numbers (5, B, N) are `wait_s`, `threshold` and `age_s` of the units, their event rates and burst probabilities;
    marks (2, B, N) are `pending` and `alone`. uniform (3, B, most, N) are the thresholds after the spikes that a unit
    can fire, and the numbers for bursts and intervals. numbers_after (4, B, N) are the first three of `numbers` after
    it and the time at risk; marks_after (5, B, N) those of `marks`, spikes, events and bursts.
    """
    for row in range(numbers.shape[1]):
        for unit in range(numbers.shape[2]):
            wait, threshold, age = numbers[0, row, unit], numbers[1, row, unit], numbers[2, row, unit]
            rate, probability = numbers[3, row, unit], numbers[4, row, unit]
            pending, alone = int(marks[0, row, unit]), int(marks[1, row, unit])
            dead = refractory_s + probability * mean_duration_s
            limited = min(rate, FASTEST / dead)
            hazard = limited / (1 - limited * dead)
            remaining, at_risk = duration_s, 0.0
            counts = events = bursts = 0
            for i in range(uniform.shape[2]):
                step = wait
                if pending == 0:
                    step += threshold / hazard if hazard > 0 else math.inf
                if not step <= remaining:
                    break
                remaining -= step
                age += step
                at_risk += max(age - threshold_s, 0.0)
                event = 1 if age > threshold_s else 0
                counts += 1
                events += event
                bursts += (1 - event) * alone
                alone, age = event, 0.0
                if pending:
                    pending -= 1
                else:
                    threshold, part = uniform[0, row, i, unit], uniform[1, row, i, unit]
                    if part < probability:
                        more = spikes[1] - spikes[0]
                        pending = spikes[0] - 1 + min(int(part / probability * (more + 1)), more)
                wait = refractory_s
                if pending:
                    wait = interval_s[0] + (interval_s[1] - interval_s[0]) * uniform[2, row, i, unit]
            age += remaining
            numbers_after[0, row, unit] = max(wait - remaining, 0.0)
            numbers_after[1, row, unit] = max(threshold - hazard * max(remaining - wait, 0.0), 0.0)
            numbers_after[2, row, unit] = min(age, threshold_s)
            numbers_after[3, row, unit] = at_risk + max(age - threshold_s, 0.0)
            marks_after[0, row, unit], marks_after[1, row, unit] = pending, alone
            marks_after[2, row, unit], marks_after[3, row, unit], marks_after[4, row, unit] = counts, events, bursts
