"""Real-time conditions: granted or not, reported, and undone at the end."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap

import numpy as np
import pytest
from threadpoolctl import threadpool_info

from decoderd.run import realtime

HEAD = """import gc, json, os, subprocess, sys
from decoderd.run import realtime
from tests.run.process_state import drop_rights, process_state, resident_kb
"""


def in_child(body):
    """What `body`, run in a process of its own, prints as JSON."""
    program = HEAD + textwrap.dedent(body)
    root = os.path.dirname(os.path.dirname(os.path.dirname(__file__)))
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=root,
        env={**os.environ, "PYTHONPATH": root},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


OBSERVED = """
before = process_state()
with realtime.punctual() as report:
    during = process_state()
print(json.dumps([report, before, during, process_state()]))
"""


def test_the_report_is_true_and_all_is_undone():
    report, before, during, after = in_child(OBSERVED)
    assert after == before
    assert set(report) == {"garbage_collection", "timer_slack", "memory_locked", "scheduler"}
    assert not during["collecting"]
    assert during["switch"] == pytest.approx(1e-4)
    assert during["frozen"] > 1000
    assert report["timer_slack"] == "1 ns"
    assert during["slack"] <= 1  # 0 is what real-time priorities bring with them
    assert (report["memory_locked"] == "yes") == (during["locked"] > 0)
    fifo = during["policy"] & ~os.SCHED_RESET_ON_FORK == os.SCHED_FIFO
    assert (report["scheduler"] == "FIFO 10") == fifo
    assert during["priority"] == (10 if fifo else 0)


def test_undone_after_an_error_too():
    before, after = in_child(
        """
        before = process_state()
        try:
            with realtime.punctual():
                raise RuntimeError
        except RuntimeError:
            pass
        print(json.dumps([before, process_state()]))
        """
    )
    assert before == after


RESERVED = """
import numpy as np
before = resident_kb()
with realtime.punctual() as report:
    begun = resident_kb()
    several = [np.empty(1 << 17, dtype=np.uint8) for _ in range(500)]
    reserved = resident_kb()
    for one in several:
        one[:] = 1
    written = resident_kb()
print(json.dumps([report, begun, reserved, written]))
"""


def test_memory_that_is_reserved_and_not_used_takes_none():
    """So a frame that a client only announces costs nothing."""
    report, begun, reserved, written = in_child(RESERVED)
    assert reserved - begun < 8_000
    assert written - begun > 60_000
    if os.geteuid() == 0:
        assert report["memory_locked"] == "yes"


needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="rights can only be dropped by root")


@needs_root
def test_without_rights_the_report_gives_the_reasons():
    report, before, during, after = in_child("drop_rights()\n" + OBSERVED)
    assert report["scheduler"] == "ordinary: Operation not permitted"
    assert report["memory_locked"] == "no: Operation not permitted"
    assert report["timer_slack"] == "1 ns"  # needs no rights
    assert during["slack"] == 1
    assert during["policy"] == os.SCHED_OTHER
    assert during["locked"] == 0
    assert after == before


@needs_root
def test_a_limit_on_locked_memory_is_reported():
    report, _, _, after = in_child("drop_rights(1 << 16)\n" + OBSERVED)
    assert report["memory_locked"] == "no: Cannot allocate memory"
    assert after["locked"] == 0


@needs_root
def test_the_priority_is_lowered_even_where_its_flag_cannot_be_cleared():
    """As a user with real-time priorities: clearing RESET_ON_FORK takes a privilege of its own."""
    report, before, after = in_child(
        """
        before = process_state()
        with realtime.punctual() as report:
            drop_rights()
        print(json.dumps([report, before, process_state()]))
        """
    )
    if not report["scheduler"].startswith("FIFO"):
        pytest.skip("no real-time priorities here")
    assert after["priority"] == 0
    assert {**after, "policy": after["policy"] & ~os.SCHED_RESET_ON_FORK} == before


def test_threads_and_processes_started_meanwhile_are_ordinary():
    found = in_child(
        """
        import threading
        found = []
        with realtime.punctual() as report:
            thread = threading.Thread(target=lambda: found.append(os.sched_getscheduler(0)))
            thread.start()
            thread.join()
            ask = "import os; print(os.sched_getscheduler(0))"
            found.append(int(subprocess.check_output([sys.executable, "-c", ask])))
        print(json.dumps([report["scheduler"], *found]))
        """
    )
    assert found[0].startswith("FIFO") <= (found[1:] == [os.SCHED_OTHER, os.SCHED_OTHER])


@pytest.mark.parametrize("collecting", [True, False])
@pytest.mark.parametrize("name", ["punctual", "steady"])
def test_garbage_collection_is_left_as_it_was(name, collecting):
    found = in_child(
        f"""
        gc.enable() if {collecting} else gc.disable()
        with getattr(realtime, "{name}")() as report:
            during = gc.isenabled()
        print(json.dumps([during, gc.isenabled(), gc.get_freeze_count(), report["garbage_collection"]]))
        """
    )
    assert found == [False, collecting, 0, "off during the run"]


def test_unpaced_runs_stay_ordinary():
    before, during, after = in_child(
        """
        before = process_state()
        with realtime.steady():
            during = process_state()
        print(json.dumps([before, during, process_state()]))
        """
    )
    assert after == before
    assert {**during, "collecting": True, "frozen": 0} == {**before, "frozen": 0}


def test_one_thread_for_linear_algebra():
    np.eye(3) @ np.eye(3)  # there has to be a library to limit
    before = [pool["num_threads"] for pool in threadpool_info()]
    with realtime.repeatable():
        assert {pool["num_threads"] for pool in threadpool_info()} == {1}
    assert [pool["num_threads"] for pool in threadpool_info()] == before
