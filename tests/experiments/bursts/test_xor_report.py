import numpy as np
import pytest

from decoderd.experiments.bursts import xor_report
from decoderd.experiments.bursts.xor_learning import Record


def record(examples, teach_one=0.72):
    """Counts as published: 1,000 events of every population in both phases."""
    counts = np.zeros((examples, 2, 5, 2), dtype=np.int64)
    counts[..., 0], counts[..., 1] = 1000, 300
    counts[:, 0, 4, 1] = 410
    for k in range(examples):
        one = k % 4 in (1, 2)
        counts[k, 1, 2:, 1] = (450, 130, 1000 * teach_one) if one else (200, 360, 200)
    right = np.tile([2.5, 9.0, 9.0, 2.5], examples // 4)
    return Record(np.array([3.7, 4.6, 4.7, 5.0]), right, counts)


def test_published_values_lie_in_the_bands_of_the_first_examples():
    assert all(band.ok for band in xor_report.short_bands(record(8), 1))


def test_a_teaching_current_without_effect_is_outside():
    missed = [band.name for band in xor_report.short_bands(record(8, teach_one=0.41), 1) if not band.ok]
    assert missed == ["the same, taught 1: seed 1"]


def test_the_bands_of_learning_need_300_epochs():
    assert all(band.ok for band in xor_report.full_bands(record(1200), 1))
    wrong = record(1200)
    wrong.rates_hz[-1] = 6.5
    assert [band.ok for band in xor_report.full_bands(wrong, 1)] == [True, True, False]
    with pytest.raises(ValueError, match="300 epochs"):
        xor_report.full_bands(record(8), 1)


def test_the_part_runs_the_seeds_and_reports_them(monkeypatch, tmp_path):
    monkeypatch.setattr(xor_report.xor_learning, "learnt", lambda seed, examples, folder=None: record(examples))
    done = []
    found = xor_report.run(2, 1, lambda *progress: done.append(progress))
    assert done == [(1, 2), (2, 2)]
    assert len(found.bands) == 22
    assert found.more["tests_hz"] == [[3.7, 4.6, 4.7, 5.0]] * 2
    assert len(xor_report.full(1, 1, lambda *progress: None, tmp_path).bands) == 14


@pytest.mark.campaign
def test_the_first_examples_are_as_published():
    found = xor_report.run(1, 1, lambda *progress: None)
    assert [band.name for band in found.bands if not band.ok] == []
