"""Calls on several processes."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from threadpoolctl import threadpool_info

from decoderd.errors import ProtocolError
from decoderd.studies import processes
from decoderd.studies.processes import Part, ProcessDied
from tests.studies.calls import killed_at_first, refused


def test_results_are_in_the_order_of_parts_for_any_number_of_processes():
    parts = [Part(divmod, (i, 3)) for i in range(5)]
    for jobs in (1, 2):
        progress = []
        done = processes.run(parts, jobs, progress.append)
        assert done.results == [divmod(i, 3) for i in range(5)]
        assert progress == [1, 2, 3, 4, 5]
        assert all(after > 0 for after in done.after_s)


@pytest.mark.parametrize("jobs", [1, 2])
def test_errors_of_parts_are_raised(jobs):
    with pytest.raises(ZeroDivisionError):
        processes.run([Part(divmod, (1, 0)), Part(divmod, (1, 1))], jobs)
    with pytest.raises(ProtocolError, match="no such thing") as raised:
        processes.run([Part(refused, ())] * 2, jobs)
    assert raised.value.field == "a.field"


def test_several_jobs_run_in_other_processes():
    found = processes.run([Part(os.getpid, ()), Part(os.getpid, ())], 2).results
    assert os.getpid() not in found
    assert processes.run([Part(os.getpid, ())] * 2, 1).results == [os.getpid()] * 2


def test_each_process_has_one_thread():
    # A part that imports NumPy, as all real ones do
    part = Part(eval, ("info()", {"info": threadpool_info, "array": np.zeros(1)}))
    infos = processes.run([part] * 2, 2).results
    assert infos[0]
    assert {library["num_threads"] for info in infos for library in info} == {1}


def test_a_killed_process_costs_one_more_attempt_of_its_own_part(tmp_path):
    parts = [Part(killed_at_first, (str(tmp_path), number)) for number in range(4)]
    assert processes.run(parts, 2).results == [0, 1, 2, 3]
    assert (tmp_path / "tried").exists()


def test_a_part_whose_process_always_dies_is_the_only_one_without_a_result():
    parts = [Part(divmod, (7, 2)), Part(os._exit, (3,)), Part(divmod, (8, 2))]
    found = {done.place: done for done in processes.completed(parts, 2)}
    assert (found[0].value, found[2].value) == ((3, 1), (4, 0))
    assert isinstance(found[1].error, ProcessDied)
    assert "exited with status 3, 2 times" in str(found[1].error)


def test_what_cannot_be_passed_on_is_an_error_of_its_part():
    found = list(processes.completed([Part(eval, ("lambda: 1", {})), Part(divmod, (7, 2))], 2))
    assert [type(done.error) for done in found if done.error] == [TypeError]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_processes_end_with_the_one_that_began_them(tmp_path, number):
    program = (
        "import sys\n"
        "from decoderd.studies.processes import Part, run\n"
        "from tests.studies.calls import lasting\n"
        "if __name__ == '__main__':\n"
        "    run([Part(lasting, (sys.argv[1],))] * 2, 2)\n"
    )
    script = tmp_path / "program.py"
    script.write_text(program)
    begun = tmp_path / "begun"
    begun.mkdir()
    root = Path(__file__).resolve().parents[2]
    environment = {**os.environ, "PYTHONPATH": str(root)}
    parent = subprocess.Popen([sys.executable, str(script), str(begun)], env=environment, stderr=subprocess.DEVNULL)
    try:
        workers = _waited(lambda: [int(one.name) for one in begun.iterdir()], 2)
        parent.send_signal(number)
        assert parent.wait(30) != 0
        _waited(lambda: [pid for pid in workers if not Path(f"/proc/{pid}").exists()], 2)
    finally:
        parent.kill()
        parent.wait()


def _waited(found, number):
    """What a function finds once there are so many."""
    for _ in range(600):
        if len(found()) >= number:
            return found()
        time.sleep(0.05)
    raise AssertionError(f"only {found()} after 30 s")
