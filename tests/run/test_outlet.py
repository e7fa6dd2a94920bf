"""The outlet in memory: messages in order, those of other threads when asked for."""

from __future__ import annotations

from decoderd.run.outlet import MemoryOutlet


def test_messages_are_kept_in_order_and_later_ones_wait():
    outlet = MemoryOutlet()
    outlet.send("tick", b"1")
    outlet.send_later("health", b"2")
    outlet.send("tick", b"3")
    assert outlet.sent == [("tick", b"1"), ("tick", b"3")]
    outlet.send_pending()
    outlet.send_pending()
    assert outlet.sent == [("tick", b"1"), ("tick", b"3"), ("health", b"2")]
