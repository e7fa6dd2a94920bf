from typing import NamedTuple

import numpy as np
import pytest

from decoderd.experiments import pretrained
from decoderd.experiments.assistive import experiment as assistive
from decoderd.experiments.assistive.expected import AS_PUBLISHED, FAST, FITTED, bands_of, loss_bands
from decoderd.experiments.assistive.experiment import SessionResults

INTENSITIES = (0.0, 0.1, 0.25, 0.5)


class End(NamedTuple):
    """Stands for the parameters of populations."""

    W: np.ndarray


def a_result(first, needed, seeds=6):
    """Sessions with these first losses by intensity; N_c goes from needed[0] to needed[1] by intensity."""
    levels = np.tile(INTENSITIES, seeds)
    losses = np.empty((len(levels), 3, 4))
    losses[:] = np.tile(first, seeds)[:, None, None]
    losses[:, -1] = 1.0
    curves = {
        day: np.stack([_curve(needed[k][i]) for _ in range(seeds) for k in range(4)]) for i, day in enumerate((1, 3))
    }
    change = np.array([[[2.0, 2.0], [1.0, 1.0]]] * len(levels))
    return SessionResults(
        np.repeat(np.arange(seeds), 4), levels, losses, curves, change, np.full((len(levels), 3), 0.5), End(levels)
    )


def _curve(needed, units=12):
    return np.where(np.arange(1, units + 1) < needed, -10.0, np.where(np.arange(units) == 0, -10.0, 0.0))


def by_name(results, expected=AS_PUBLISHED):
    return {band.name: band for band in bands_of(results, expected)}


def test_published_results_are_within_all_bands():
    results = a_result((18.0, 15.0, 9.5, 5.6), [(8, 8), (8, 7), (8, 5), (8, 3)])
    bands = by_name(results)
    assert all(band.ok for band in bands.values()), [band for band in bands.values() if not band.ok]
    assert bands["change of N_c from first to last day, intensity 0.5"].value == -5
    tested = bands["p that N_c falls no more at the highest intensity than at 0"]
    assert tested.value == pytest.approx(1 / 2**6)
    assert tested.power == (6, 2, 10)  # all seeds agree
    assert bands["loss of the first update, intensity 0"].power == (6, 2, 13)


def test_the_fit_to_all_pairs_is_expected_to_end_higher_with_adaptation():
    results = a_result((18.0, 15.0, 9.5, 5.6), [(8, 8)] * 4)
    results.losses[:, -1] = np.tile((0.7, 1.1, 1.6, 2.4), 6)[:, None]
    assert all(band.ok for band in loss_bands(results, FITTED))
    missed = [band.name for band in loss_bands(results, AS_PUBLISHED) if not band.ok]
    assert missed == [f"mean loss of the last day, intensity {x}" for x in ("0", "0.25", "0.5")]


def test_losses_that_do_not_fall_with_intensity_are_missed():
    results = a_result((20.0, 32.0, 5.0, 3.5), [(8, 7)] * 4)
    bands = by_name(results)
    assert bands["loss of the first update, largest ratio to that of the next lower intensity"].value == pytest.approx(
        1.6
    )
    assert not bands["loss of the first update, largest ratio to that of the next lower intensity"].ok
    assert not bands["loss of the first update, intensity 0.1"].ok
    assert bands["p that N_c falls no more at the highest intensity than at 0"].value == 1.0


def test_rising_n_c_is_missed():
    bands = by_name(a_result((20.0, 10.0, 5.0, 3.0), [(2, 9), (3, 5), (4, 4), (5, 3)]))
    verdicts = [bands[f"change of N_c from first to last day, intensity {x:g}"].ok for x in INTENSITIES]
    assert verdicts == [False, False, True, True]


def test_recipes_are_valid_protocols():
    for name in ("assistive", "assistive-fast", "assistive-published", "bias"):
        assert pretrained.load_recipe(name).name == name
    assert sorted(AS_PUBLISHED.first) == list(INTENSITIES)
    assert len(FAST.first) == 4


@pytest.mark.parametrize(
    ("seeds", "jobs", "cut"),
    [
        (5, 2, [(1, 2, 3), (4, 5)]),
        (4, 8, [(1,), (2,), (3,), (4,)]),
        (12, 1, [(1, 2, 3, 4, 5), (6, 7, 8, 9, 10), (11, 12)]),
    ],
)
def test_seeds_are_divided_among_processes(seeds, jobs, cut):
    assert pretrained.seed_groups(seeds, jobs) == cut


def test_results_of_parts_are_concatenated_in_order():
    one, other = (
        a_result((4.0, 3.0, 2.0, 1.0), [(2, 2)] * 4, seeds=1),
        a_result((8.0, 6.0, 4.0, 2.0), [(3, 3)] * 4, seeds=2),
    )
    both = assistive.concatenate([one, other])
    assert both.losses.shape == (12, 3, 4)
    np.testing.assert_array_equal(both.losses[:4], one.losses)
    np.testing.assert_array_equal(both.curves[3][4:], other.curves[3])


def test_the_fast_recipe_is_compared_by_its_last_update():
    results = a_result((6.0, 5.0, 4.0, 3.0), [(8, 8)] * 4)
    results.losses[:, -1, -1] = 0.015
    results = results._replace(intensities=np.tile(sorted(FAST.first), len(results.seeds) // 4))
    bands = by_name(results, FAST)
    assert [band.value for name, band in bands.items() if "last update" in name] == [0.015] * 4
    assert all(band.ok for band in bands.values())
    full = by_name(a_result((20.0, 10.0, 5.0, 3.0), [(8, 8)] * 4))
    assert full["mean loss of the last day, intensity 0"].value == 1.0
