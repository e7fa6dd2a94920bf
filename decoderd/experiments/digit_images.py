"""The 1797 digits of 8 x 8 pixels that scikit-learn brings along, split anew for each seed.

Splits differ in how hard they are, so a seed has its own: 1397 digits to learn from and 400 to test with.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from decoderd.arrays import Array

CLASSES, TESTED, HELD_OUT = 10, 400, 300


class Digits(NamedTuple):
    """Digits to learn from and to test with."""

    inputs: Array  # (M, 64) pixels, in standard deviations from the mean of all pixels that are learned from
    classes: NDArray[np.int64]  # (M,)
    test_inputs: Array  # (K, 64)
    test_classes: NDArray[np.int64]  # (K,)


def digits(seed: int, held_out: bool = False) -> Digits:
    """The digits of a seed, each class as often in either part.

    `held_out`: without the test digits, with some of those to learn from in their place.
    """
    pixels, classes = load_digits(return_X_y=True)
    every = np.arange(len(classes))
    learned, tested = train_test_split(every, test_size=TESTED, random_state=seed, stratify=classes)
    if held_out:
        learned, tested = train_test_split(learned, test_size=HELD_OUT, random_state=seed, stratify=classes[learned])
    inputs = (pixels - pixels[learned].mean()) / pixels[learned].std()
    return Digits(inputs[learned], classes[learned], inputs[tested], classes[tested])
