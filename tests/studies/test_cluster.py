"""Parts on the workers of a Dask scheduler. Processes of a real cluster are in tests/campaigns/test_studies.py."""

import sys
from functools import partial

import pytest
from distributed import LocalCluster

from decoderd.extras import MissingExtra
from decoderd.studies import cluster, running
from decoderd.studies.settings import settings
from decoderd.studies.study import StudyError
from tests.studies.small import parsed


def test_a_study_on_a_cluster(tmp_path):
    given = parsed(vary=[], seeds=1)
    with LocalCluster(
        n_workers=0,
        processes=False,
        threads_per_worker=1,
        protocol="tcp://",
        host="127.0.0.1",
        dashboard_address="127.0.0.1:0",
    ) as local:
        engine = partial(cluster.completed, address=local.scheduler_address, place=tmp_path, wait_s=0.5)
        with pytest.raises(StudyError, match=r"had no worker for 0\.5 s: start one with"):
            running.run(given, settings(given), tmp_path, engine)
        local.scale(1)
        engine = partial(engine, wait_s=30.0)
        results = running.run(given, settings(given), tmp_path, engine)
    assert results.missing == 0
    assert running.failed(results) == []


def test_without_a_scheduler_there_is_an_error(tmp_path):
    with pytest.raises(StudyError, match="no Dask scheduler answers") as refused:
        list(cluster.completed([], "tcp://127.0.0.1:9", 0.5, tmp_path))
    assert refused.value.field == "scheduler"


def test_workers_of_other_versions_are_refused(tmp_path):
    class Client:
        def run(self, function, path):
            versions, sees = function(path)
            return {"tcp://worker": ({**versions, "numpy": "1.0"}, sees)}

    with pytest.raises(StudyError, match=r"worker tcp://worker has numpy 1\.0 \(here"):
        cluster._check_workers(Client(), tmp_path)


def test_workers_that_do_not_see_the_folder_are_refused(tmp_path):
    class Client:
        def run(self, function, path):
            return {"tcp://worker": function(path)}

    with pytest.raises(StudyError, match=r"does not see .*study\.json: use a folder that all machines share"):
        cluster._check_workers(Client(), tmp_path)


def test_without_dask_the_extra_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(MissingExtra, match=r"--scheduler needs distributed, .* pip install 'decoderd\[dask\]'"):
        list(cluster.completed([], "tcp://127.0.0.1:9", 0.5, tmp_path))
