"""Keys of a client: read from its file, and let in according to its role."""

import pytest

from decoderd.service.keys import add_client, make_keys
from decoderd_client import ClientKeys, ControlError, NoAnswer, Session
from tests.protocols import lasting
from tests.service.serving import served


def test_who_may_do_what(tmp_path):
    keys = tmp_path / "keys"
    public = make_keys(keys)
    anna, screen = (ClientKeys.load(add_client(keys, name, role)) for name, role in ROLES)
    with pytest.raises(ValueError, match="not a client's file of keys"):
        ClientKeys.load(public)
    with served(tmp_path, lasting(60.0), "--keys", keys) as (control, _, _):
        with Session(control, keys=anna) as session, session.subscribe(["tick"]) as messages:
            assert session.metrics("anna", {"x": 1.0})["ok"] is True
            assert messages.next(timeout_s=30).topic == "tick"
        with Session(control, keys=screen) as session, session.subscribe(["tick"]) as messages:
            assert messages.next(timeout_s=30).topic == "tick"
            with pytest.raises(ControlError) as caught:
                session.pause()
            assert caught.value.code == "forbidden"
        with Session(control, timeout_s=0.1, attempts=2) as session:
            for _ in range(8):  # once it was refused it cannot send, and must not wait for ever
                with pytest.raises(NoAnswer):
                    session.describe()


ROLES = (("anna", "controller"), ("screen", "observer"))
