"""A connection as the kernel counts it."""

from __future__ import annotations

import pytest
import zmq

from decoderd.service import connection
from tests.service.serving import wait_for


@pytest.fixture(params=["tcp", "ipc"])
def linked(request, tmp_path):
    """(ROUTER, DEALER, the connection between them)."""
    context = zmq.Context()
    router, dealer = context.socket(zmq.ROUTER), context.socket(zmq.DEALER)
    router.bind("tcp://127.0.0.1:*" if request.param == "tcp" else f"ipc://{tmp_path}/socket")
    dealer.connect(router.get_string(zmq.LAST_ENDPOINT))
    dealer.send(b"hello")
    *_, frame = router.recv_multipart(copy=False)
    yield router, dealer, connection.of(frame), request.param == "tcp"
    context.destroy(linger=0)


def test_what_passes_is_counted_where_the_kernel_counts(linked):
    router, dealer, link, counted = linked
    assert link.stands()
    received = link.received()
    dealer.send(bytes(10_000))
    name, frame = router.recv_multipart(copy=False)
    assert connection.of(frame) == link
    assert (link.received() - received >= 10_000) == counted
    taken = link.taken()
    router.send_multipart([name.bytes, bytes(20_000)])
    dealer.recv()
    wait_for(lambda: not link.unacknowledged())
    assert (link.taken() - taken >= 20_000) == counted


def test_a_connection_that_is_cut_stands_no_more(linked):
    _, dealer, link, _ = linked
    dealer.setsockopt(zmq.RECONNECT_IVL, -1)
    link.cut()
    wait_for(lambda: not link.stands())
    link.cut()  # nothing is left to be cut
    wait_for(lambda: connection.at(link.descriptor) != link)
    assert (link.received(), link.taken(), link.unacknowledged()) == (0, 0, 0)


def test_a_descriptor_that_is_used_again_is_another_connection(linked, tmp_path):
    _, _, link, _ = linked
    assert connection.at(link.descriptor) == link
    assert not link._replace(inode=link.inode + 1).stands()
    with (tmp_path / "file").open("wb") as file:
        assert connection.at(file.fileno()) is None
    assert connection.at(10**6) is None


def test_a_frame_from_within_the_process_has_none():
    assert connection.of(zmq.Frame(b"x")) is None
