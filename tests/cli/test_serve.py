"""`decoderd keys`; `decoderd serve` is tested in tests/service and in test_ctl."""

from __future__ import annotations

from tests.running import cli, failure


def test_keys_of_the_server_and_of_clients(tmp_path):
    folder = tmp_path / "keys"
    assert cli("keys", folder).stdout == f"{folder / 'server.key'}: the server's public key; clients need a copy\n"
    for name, role in (("alice", []), ("bob", ["--controller"])):
        made = cli("keys", folder, "--client", name, *role).stdout.split(": ")[0]
        assert made == str(folder / "clients" / f"{name}.key_secret")
    assert sorted(path.name for path in (folder / "observers").iterdir()) == ["alice.key"]
    assert sorted(path.name for path in (folder / "controllers").iterdir()) == ["bob.key"]


def test_keys_are_not_replaced(tmp_path):
    folder = tmp_path / "keys"
    cli("keys", folder)
    before = (folder / "server.key").read_bytes()
    assert "exists, and clients connect with that key" in failure(cli("keys", folder))
    assert (folder / "server.key").read_bytes() == before
