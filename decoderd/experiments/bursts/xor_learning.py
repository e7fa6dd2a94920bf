"""The examples that a network learns XOR from, one after the other, so that a run can stop and go on.

A run has a folder with a file for each seed. The file is replaced after each epoch of four examples; a run that finds
it goes on from there, and ends with the same bytes as one that was not interrupted.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from decoderd.arrays import Array
from decoderd.experiments.bursts import network, xor
from decoderd.experiments.bursts.network import Network, State
from decoderd.files import replacing


class Record(NamedTuple):
    """What K examples showed. Counts: phase (prediction, teaching), population, kind (events, bursts)."""

    tests_hz: Array  # (4,): event rate of the output in the tests before learning
    rates_hz: Array  # (K,): mean average event rate of the output before teaching
    counts: NDArray[np.int64]  # (K, 2, 5, 2)


def costs(record: Record) -> Array:
    """Cost of each example (K,)."""
    targets = [target(k) for k in range(len(record.rates_hz))]
    return np.array([xor.cost(rate, t) for rate, t in zip(record.rates_hz, targets, strict=True)])


def epoch_costs(record: Record) -> Array:
    """Cost of each whole epoch: the sum of four examples."""
    found = costs(record)
    return np.asarray(found[: len(found) // 4 * 4].reshape(-1, 4).sum(axis=1))


def target(k: int) -> int:
    """What the output should be in example `k`."""
    one, other = xor.EXAMPLES[k % 4]
    return one ^ other


def begun(seed: int, n: int = xor.NEURONS) -> tuple[Network, State, Array]:
    """A network after its burn-in and four tests without teaching, and the output's event rates (4,) in these in Hz."""
    made, state = xor.made(seed, n)
    output, tests = xor.populations(n).output, []
    state = network.run(made, state, _steps(xor.BURN_IN_S), *xor.currents(n, None), False)
    for example in xor.EXAMPLES:
        state = network.run(made, state, _steps(xor.EXAMPLE_S), *xor.currents(n, example), False)
        tests.append(state.events[output].sum() / n / xor.EXAMPLE_S)
    return made, state, np.array(tests)


def taught(made: Network, state: State, k: int) -> tuple[State, float, NDArray[np.int64]]:
    """State after example `k`; the rate of the output before teaching in Hz, and the counts (2, 5, 2)."""
    n = len(state.trace) // 5
    output = xor.populations(n).output
    soma_a, dendrite_a = xor.currents(n, xor.EXAMPLES[k % 4])
    state = network.run(made, state, _steps(xor.EXAMPLE_S - xor.TEACHING_S), soma_a, dendrite_a, False)
    rates, before = state.averages.events[output], _counts(state, n)
    dendrite_a[output] += xor.teaching(rates, target(k))
    state = network.run(made, state, _steps(xor.TEACHING_S), soma_a, dendrite_a, True)
    return state, float(rates.mean()), np.stack([before, _counts(state, n)])


def learnt(seed: int, examples: int, folder: Path | None = None, n: int = xor.NEURONS) -> Record:
    """The record of the first examples of a seed; with a folder, what is there is gone on with."""
    path = None if folder is None else folder / f"xor-{seed}.npz"
    if path is not None and path.exists():
        made, state = xor.made(seed, n)
        state, record = _loaded(path, state)
    else:
        made, state, tests = begun(seed, n)
        record = Record(tests, np.zeros(0), np.zeros((0, 2, 5, 2), dtype=np.int64))
    for k in range(len(record.rates_hz), examples):
        state, rate, counts = taught(made, state, k)
        rates_hz, counts = np.append(record.rates_hz, rate), np.concatenate([record.counts, counts[None]])
        record = Record(record.tests_hz, rates_hz, counts)
        if path is not None and (len(record.rates_hz) % 4 == 0 or k == examples - 1):
            _save(path, state, record)
    return Record(record.tests_hz, record.rates_hz[:examples], record.counts[:examples])


def _steps(duration_s: float) -> int:
    return round(duration_s / xor.DT_S)


def _counts(state: State, n: int) -> NDArray[np.int64]:
    return np.stack([state.events.reshape(5, n).sum(axis=1), state.bursts.reshape(5, n).sum(axis=1)], axis=1)


def _save(path: Path, state: State, record: Record) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as out:
        np.savez(out, *_leaves(state), **record._asdict())


def _loaded(path: Path, like: State) -> tuple[State, Record]:
    with np.load(path) as stored:
        leaves = (stored[f"arr_{k}"] for k in range(len(_leaves(like))))
        return _restored(like, leaves), Record(*(stored[name] for name in Record._fields))


def _leaves(values: Any) -> list[Any]:
    return [leaf for value in values for leaf in _leaves(value)] if isinstance(values, tuple) else [values]


def _restored(like: Any, leaves: Any) -> Any:
    if isinstance(like, tuple):
        return type(like)(*(_restored(value, leaves) for value in like))
    leaf = next(leaves)
    return leaf if isinstance(like, np.ndarray) else int(leaf)
