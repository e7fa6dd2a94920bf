"""Accepted connections: those at an endpoint are found among the descriptors of the process, and no others."""

import pytest
import zmq

from decoderd.service.accepted import accepted_at


@pytest.mark.parametrize(
    "endpoint", ["tcp://127.0.0.1:*", "tcp://[::1]:*", "ipc://{folder}/socket", "ipc://@decoderd-{id}"]
)
def test_the_connections_at_an_endpoint_are_found_and_can_be_cut(tmp_path, endpoint):
    context = zmq.Context()
    router, other, *dealers = (context.socket(kind) for kind in (zmq.ROUTER, zmq.ROUTER, *[zmq.DEALER] * 3))
    for socket in (router, *dealers):
        socket.ipv6 = True
    try:
        router.bind(endpoint.format(folder=tmp_path, id=id(context)))
        other.bind("tcp://127.0.0.1:*")
        place = router.get_string(zmq.LAST_ENDPOINT)
        assert list(accepted_at(place)) == []
        for dealer, server in zip(dealers, (router, router, other), strict=True):
            dealer.connect(server.get_string(zmq.LAST_ENDPOINT))
            dealer.send(b"here")
            assert server.poll(30_000)
            server.recv_multipart()
        found = list(accepted_at(place))
        assert len(found) == 2
        lost = [dealer.get_monitor_socket(zmq.EVENT_DISCONNECTED) for dealer in dealers]
        for one in found:
            one.cut()
        assert all(monitor.poll(30_000) for monitor in lost[:2])
        assert not lost[2].poll(0)
    finally:
        context.destroy(linger=0)
