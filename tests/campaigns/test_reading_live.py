"""The readers in other languages follow live sessions: through a connection that loses messages, and over a crash."""

from __future__ import annotations

import os
import signal
from contextlib import ExitStack, suppress

import pytest

from decoderd.service import process_file
from decoderd_client import Session
from tests.campaigns.lossy import Lossy
from tests.clients import reading
from tests.protocols import lasting
from tests.running import stored
from tests.service.serving import asking, daemon, served, wait_for

pytestmark = pytest.mark.campaign

TOPICS = ("tick", "counts", "trial")


@pytest.fixture(scope="module")
def readers(tmp_path_factory):
    """Every reader of a language that is installed, by name."""
    found = {}
    for build in reading.BUILT:
        with suppress(pytest.skip.Exception):
            found[build.__name__] = build(tmp_path_factory.mktemp("reader"), "record")
    return found


def test_every_reader_has_the_bytes_that_are_stored(tmp_path, readers):
    """Half of the messages are lost, in runs."""
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


def test_after_a_crash_no_message_is_missing_or_comes_twice(tmp_path, readers):
    """What the process published last was not committed, and is published again by the next one."""
    topics = ("tick", "trial", "session")
    with daemon(tmp_path, "--linger", "120") as one, asking(one) as supervisor:
        control = supervisor.start("a", lasting(3600.0))["control"]
        with Session(control, timeout_s=20.0) as session:
            recordings = {name: reading.Recording(reader, control, *topics) for name, reader in readers.items()}
            assert all(one.begun.wait(reading.TIMEOUT_S) for one in recordings.values())
            tick = session.describe()["tick"]
            wait_for(lambda: session.describe()["tick"] > tick + 100)
            os.kill(process_file.read(tmp_path / "a").pid, signal.SIGKILL)
            wait_for(lambda: supervisor.find("a")["incarnation"] == 2)
            wait_for(lambda: session.describe()["tick"] > tick + 300)
        supervisor.stop("a")
        written = {name: one.finished(*topics) for name, one in recordings.items()}
    assert written == {name: {topic: stored(tmp_path / "a", topic) for topic in topics} for name in readers}
