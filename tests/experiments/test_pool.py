import os

import numpy as np
import pytest
from threadpoolctl import threadpool_info

from decoderd.experiments import pool
from decoderd.experiments.pool import Part


def test_results_keep_the_order_of_the_parts_on_any_number_of_processes():
    parts = [Part(divmod, (i, 3)) for i in range(5)]
    for jobs in (1, 2):
        heard = []
        done = pool.run(parts, jobs, heard.append)
        assert done.results == [divmod(i, 3) for i in range(5)]
        assert heard == [1, 2, 3, 4, 5]
        assert all(after > 0 for after in done.after_s)


def test_errors_arrive():
    with pytest.raises(ZeroDivisionError):
        pool.run([Part(divmod, (1, 0)), Part(divmod, (1, 1))], 2)


def test_several_processes_are_others():
    found = pool.run([Part(os.getpid, ()), Part(os.getpid, ())], 2).results
    assert os.getpid() not in found
    assert pool.run([Part(os.getpid, ())] * 2, 1).results == [os.getpid()] * 2


def test_each_process_has_one_thread():
    # A part that brings NumPy with it, as all real ones do
    part = Part(eval, ("info()", {"info": threadpool_info, "brought": np.zeros(1)}))
    infos = pool.run([part] * 2, 2).results
    assert infos[0]
    assert {library["num_threads"] for info in infos for library in info} == {1}
