"""The readers in other languages follow one session through a connection that loses half of its messages."""

from __future__ import annotations

import signal
from contextlib import ExitStack, suppress

import pytest

from decoderd_client import Session
from tests.campaigns.lossy import Lossy
from tests.clients import reading
from tests.protocols import lasting
from tests.running import stored
from tests.service.serving import served, wait_for

pytestmark = pytest.mark.campaign

TOPICS = ("tick", "counts", "trial")


def test_every_reader_has_the_bytes_that_are_stored(tmp_path):
    readers = {}
    for build in reading.BUILT:
        with suppress(pytest.skip.Exception):  # of a language that is not installed
            readers[build.__name__] = build(tmp_path, "record")
    with ExitStack() as stack:
        control, out, process = stack.enter_context(served(tmp_path, lasting(3600.0), "--speed", "4"))
        session = stack.enter_context(Session(control))
        lossy = {name: stack.enter_context(Lossy(control)) for name in readers}
        recordings = {name: reading.Recording(one, lossy[name].control, *TOPICS) for name, one in readers.items()}
        assert all(one.begun.wait(reading.TIMEOUT_S) for one in recordings.values())
        tick = session.describe()["tick"]
        wait_for(lambda: session.describe()["tick"] > tick + 300)
        session.stop()
        written = {name: one.finished(*TOPICS) for name, one in recordings.items()}
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
    assert all(one.dropped > 100 for one in lossy.values())
    assert written == {name: {topic: stored(out, topic) for topic in TOPICS} for name in readers}
