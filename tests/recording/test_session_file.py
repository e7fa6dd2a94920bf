"""Sessions in files: what is begun is restored, and what another version wrote is refused."""

from __future__ import annotations

import zlib

import msgpack
import pytest

from decoderd.errors import StoreError
from decoderd.recording import session_file
from decoderd.recording.store import open_store
from tests import running
from tests.protocols import begun, lasting
from tests.rewriting import rewritten


def another_state(folder, change):
    """Change the newest checkpoint of a stored session, as another version might have written it."""
    with open_store(folder) as store:
        tick, body = store.checkpoint()
    tree = msgpack.unpackb(body, strict_map_key=False)
    change(tree)
    rewritten(folder, "UPDATE checkpoint SET body = ? WHERE tick = ?", zlib.compress(msgpack.packb(tree)), tick)


def sequences_of(tree):
    """The pairs [topic, number] of a checkpoint's tree."""
    return tree["v"]["sequences"]["d"]


@pytest.fixture
def folder(tmp_path):
    running.record(tmp_path / "session", lasting(0.5))
    return tmp_path / "session"


def test_what_was_begun_is_restored(tmp_path):
    session, state = begun(lasting(0.5))
    store, _ = session_file.begin(tmp_path, session, state)
    with store:
        again, restored = session_file.restore(store)
    assert (again.name, again.protocol) == (session.name, session.protocol)
    assert restored.sequences == state.sequences
    assert restored.tick == 0


@pytest.mark.parametrize(
    "change",
    [
        lambda tree: sequences_of(tree).append(["bursts", 7]),
        lambda tree: sequences_of(tree).pop(0),
    ],
    ids=["one more", "one less"],
)
def test_a_checkpoint_with_other_topics_is_refused(folder, change):
    another_state(folder, change)
    with (
        open_store(folder) as store,
        pytest.raises(
            StoreError, match=r"with other topics \((bursts|counts)\): use the version of decoderd that wrote"
        ),
    ):
        session_file.restore(store)


def test_the_order_of_topics_in_a_checkpoint_does_not_matter(folder):
    another_state(folder, lambda tree: sequences_of(tree).reverse())
    with open_store(folder) as store:
        _, state = session_file.restore(store)
        assert state.sequences["day"] == store.next_number("day")


def test_a_type_that_is_not_installed_is_refused(folder):
    def rename(tree):
        tree["v"]["population"]["n"] = "a_plugin.state"

    another_state(folder, rename)
    with (
        open_store(folder) as store,
        pytest.raises(StoreError, match=r"'a_plugin.state', which is not installed: install the plug-in"),
    ):
        session_file.restore(store)
