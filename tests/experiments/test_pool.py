"""Parts of an experiment on several processes."""

import os

import numpy as np
import pytest
from threadpoolctl import threadpool_info

from decoderd.experiments import pool
from decoderd.experiments.pool import Part


def test_results_are_in_the_order_of_parts_for_any_number_of_processes():
    parts = [Part(divmod, (i, 3)) for i in range(5)]
    for jobs in (1, 2):
        progress = []
        done = pool.run(parts, jobs, progress.append)
        assert done.results == [divmod(i, 3) for i in range(5)]
        assert progress == [1, 2, 3, 4, 5]
        assert all(after > 0 for after in done.after_s)


def test_errors_of_parts_are_raised():
    with pytest.raises(ZeroDivisionError):
        pool.run([Part(divmod, (1, 0)), Part(divmod, (1, 1))], 2)


def test_several_jobs_run_in_other_processes():
    found = pool.run([Part(os.getpid, ()), Part(os.getpid, ())], 2).results
    assert os.getpid() not in found
    assert pool.run([Part(os.getpid, ())] * 2, 1).results == [os.getpid()] * 2


def test_each_process_has_one_thread():
    # A part that imports NumPy, as all real ones do
    part = Part(eval, ("info()", {"info": threadpool_info, "array": np.zeros(1)}))
    infos = pool.run([part] * 2, 2).results
    assert infos[0]
    assert {library["num_threads"] for info in infos for library in info} == {1}
