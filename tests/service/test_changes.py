"""Changes: which requests are one, and what is kept of those carried out."""

from __future__ import annotations

import pytest

from decoderd.service.changes import REMEMBERED, REMEMBERED_BYTES, Changes, IdInUse, Sender, digest_of
from decoderd.wire import envelope

KEYED = Sender(b"key", True, None, (b"client",))
OTHER_CONNECTION = Sender(b"key", True, None, (b"again",))
OTHER_KEY = Sender(b"another", True, None, (b"client",))


def carried_out(changes, id, reply, sender=KEYED):
    change, new = changes.take(id, [b"request"], sender)
    assert new
    changes.answered(change, reply)


def test_the_last_are_remembered():
    changes = Changes()
    for number in range(3 * REMEMBERED):
        carried_out(changes, f"r{number}", [b"%d" % number])
    for number in (3 * REMEMBERED - 1, 2 * REMEMBERED):
        change, new = changes.take(f"r{number}", [b"request"], KEYED)
        assert (change.reply, new) == ([b"%d" % number], False)
    assert changes.take(f"r{2 * REMEMBERED - 1}", [b"request"], KEYED)[1]


@pytest.mark.parametrize("size", [100, 10_000, envelope.MAP_BYTES, envelope.MAP_BYTES + 1])
def test_what_is_kept_is_bounded_in_bytes(size):
    changes = Changes()
    for number in range(1500):
        carried_out(changes, f"r{number}", [bytes(size)])
    kept = sum(change.size() for several in changes._by_id.values() for change in several)
    assert kept == changes.remembered <= REMEMBERED_BYTES
    assert (kept > 0) == (size <= envelope.MAP_BYTES)


def test_a_key_is_one_client_whatever_its_connection():
    changes = Changes()
    first, _ = changes.take("1", [b"pause"], KEYED)
    again, new = changes.take("1", [b"pause"], OTHER_CONNECTION)
    assert again is first
    assert not new
    assert first.sender == OTHER_CONNECTION  # where the reply goes
    with pytest.raises(IdInUse):
        changes.take("1", [b"stop"], OTHER_CONNECTION)
    other, new = changes.take("1", [b"stop"], OTHER_KEY)
    assert new
    assert other is not first


def test_where_frames_end_is_part_of_a_request():
    assert digest_of([b"ab", b"c"]) != digest_of([b"a", b"bc"])
    assert digest_of([b"ab"]) == digest_of([b"ab"])
