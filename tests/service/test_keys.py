"""Keys: what their folder must be like, and who may change it."""

from __future__ import annotations

import os
import re

import pytest
import zmq
import zmq.auth

from decoderd.errors import ServiceError
from decoderd.service import keys
from decoderd.service.keys import Keys


@pytest.fixture
def folder(tmp_path):
    """Keys of a server with a controller, anna, and an observer, otto."""
    found = tmp_path / "above" / "keys"
    keys.make_keys(found)
    keys.add_client(found, "anna", "controller")
    keys.add_client(found, "otto", "observer")
    return found


def test_keys_are_read_back(folder):
    found = Keys.load(folder)
    assert (found.public, found.secret) == zmq.auth.load_certificate(folder / "server.key_secret")
    assert zmq.auth.load_certificate(folder / "server.key") == (found.public, None)
    anna, secret = zmq.auth.load_certificate(folder / "clients" / "anna.key_secret")
    assert zmq.curve_public(secret) == anna
    assert sorted(found.roles.values()) == ["controller", "observer"]
    assert found.roles[anna] == "controller"


def test_keys_that_pyzmq_made_are_read(tmp_path):
    for name in ("observers", "controllers"):
        (tmp_path / name).mkdir()
        zmq.auth.create_certificates(tmp_path / name, "someone")
    zmq.auth.create_certificates(tmp_path, "server")
    (tmp_path / "server.key_secret").chmod(0o600)
    assert sorted(Keys.load(tmp_path).roles.values()) == ["controller", "observer"]


def test_secrets_are_their_owners_only(folder):
    for secret in (folder / "server.key_secret", folder / "clients" / "anna.key_secret"):
        assert secret.stat().st_mode & 0o777 == 0o600
    assert folder.stat().st_mode & 0o777 == 0o700
    assert Keys.load(folder).secret.decode() not in repr(Keys.load(folder))


def test_new_keys_have_no_clients(tmp_path):
    assert keys.make_keys(tmp_path / "a" / "b") == tmp_path / "a" / "b" / "server.key"
    assert Keys.load(tmp_path / "a" / "b").roles == {}


def expose(folder):
    (folder / "server.key_secret").chmod(0o604)


def expose_to_the_group(folder):
    (folder / "server.key_secret").chmod(0o640)


def expose_a_pair(folder):
    (folder / "clients" / "anna.key_secret").chmod(0o640)


def forget_the_server(folder):
    (folder / "server.key_secret").unlink()


def forget_observers(folder):
    (folder / "observers" / "otto.key").unlink()
    (folder / "observers").rmdir()


def open_controllers(folder):
    (folder / "controllers").chmod(0o775)


def open_the_folder(folder):
    folder.chmod(0o702)


def open_a_key(folder):
    (folder / "observers" / "otto.key").chmod(0o664)


def open_the_server_key(folder):
    (folder / "server.key").chmod(0o666)


def open_the_folder_above(folder):
    folder.parent.chmod(0o770)


def lead_to_an_open_file(folder):
    key, elsewhere = folder / "observers" / "otto.key", folder.parent / "elsewhere"
    key.rename(elsewhere)
    key.symlink_to(elsewhere)
    elsewhere.chmod(0o666)


def promote(folder):
    (folder / "controllers" / "otto2.key").write_bytes((folder / "observers" / "otto.key").read_bytes())


def unpair(folder):
    file = folder / "server.key_secret"
    file.write_text(re.sub(r'public-key = ".*"', f'public-key = "{zmq.curve_keypair()[0].decode()}"', file.read_text()))


def keep_public_only(folder):
    (folder / "server.key_secret").write_bytes((folder / "server.key").read_bytes())


def overflow(folder):
    file = folder / "server.key_secret"
    file.write_text(re.sub(r'secret-key = ".*"', f'secret-key = "{"#" * 40}"', file.read_text()))


def shorten(folder):
    (folder / "observers" / "otto.key").write_text('curve\n    public-key = "abc"\n')


def scribble(folder):
    (folder / "observers" / "otto.key").write_bytes(b"\xff\xfe no certificate")


def halve(folder):
    (folder / "observers" / "otto.key").write_text("curve\n    public-key")


def put_a_folder(folder):
    (folder / "observers" / "berta.key").mkdir()


def put_a_pipe(folder):
    os.mkfifo(folder / "observers" / "berta.key")


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (expose, r"server\.key_secret: group or others may read or write it \(mode 0604\); right is `chmod 600 /"),
        (expose_to_the_group, r"server\.key_secret: group or others may read or write it \(mode 0640\)"),
        (expose_a_pair, r"anna\.key_secret: group or others may read or write it \(mode 0640\); right is `chmod 600"),
        (forget_the_server, r"server\.key_secret: missing; `decoderd keys"),
        (forget_observers, "observers: no such folder; an empty one"),
        (
            open_controllers,
            r"controllers: group or others may write it \(mode 0775\); right is `chmod 700 /.*controllers`",
        ),
        (open_the_folder, r"keys: group or others may write it \(mode 0702\); right is `chmod 700 /.*keys`"),
        (open_a_key, r"otto\.key: group or others may write it \(mode 0664\); right is `chmod 644 /.*otto\.key`"),
        (open_the_server_key, r"server\.key: group or others may write it \(mode 0666\)"),
        (open_the_folder_above, r"keys: group or others may replace it.*above \(mode 0770\).*chmod go-w"),
        (
            lead_to_an_open_file,
            r"otto\.key: group or others may write it \(mode 0666\); right is `chmod 644 /.*elsewhere`",
        ),
        (promote, r"ott.*\.key: this key stands under (observers|controllers) too"),
        (unpair, r"server\.key_secret: the public key is not that of the secret one"),
        (keep_public_only, r"server\.key_secret: it holds no line secret-key"),
        (overflow, r"server\.key_secret: the public key is not that of the secret one"),
        (shorten, r"otto\.key: the public key is not 40 characters"),
        (scribble, r"otto\.key: no certificate"),
        (halve, r"otto\.key: no certificate"),
        (put_a_folder, r"berta\.key: is not a regular file"),
        (put_a_pipe, r"berta\.key: is not a regular file"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_errors_name_what_is_wrong_with_the_folder(folder, spoil, message):
    spoil(folder)
    with pytest.raises(ServiceError, match=message):
        Keys.load(folder)


def test_a_missing_folder_is_an_error(tmp_path):
    with pytest.raises(ServiceError, match=r"nowhere: no such folder.*decoderd keys"):
        Keys.load(tmp_path / "nowhere")


def test_an_unreadable_file_is_an_error(folder, monkeypatch):
    def refuses(file):
        raise PermissionError(13, "Permission denied", str(file))

    monkeypatch.setattr(keys, "load_certificate", refuses)
    with pytest.raises(ServiceError, match=r"server\.key_secret: cannot be read: Permission denied"):
        Keys.load(folder)


def test_keys_are_never_overwritten(folder):
    before = {file: file.read_bytes() for file in folder.rglob("*.key*")}
    with pytest.raises(ServiceError, match=r"server\.key_secret: exists"):
        keys.make_keys(folder)
    for role in ("observer", "controller"):
        with pytest.raises(ServiceError, match=r"anna\.key: there is a client of this name"):
            keys.add_client(folder, "anna", role)
    (folder / "controllers" / "anna.key").unlink()
    with pytest.raises(ServiceError, match=r"anna\.key_secret: exists"):
        keys.add_client(folder, "anna", "observer")
    assert {file: file.read_bytes() for file in folder.rglob("*.key*")} == {
        file: data for file, data in before.items() if file.exists()
    }


@pytest.mark.parametrize("name", ["", "../evil", "a/b", ".hidden", "a b", "x" * 65, "anna\n", "ännchen"])
def test_names_that_are_no_names(folder, name):
    with pytest.raises(ServiceError, match="no name for a client"):
        keys.add_client(folder, name, "observer")


def test_a_client_needs_a_server(tmp_path):
    with pytest.raises(ServiceError, match="no such folder"):
        keys.add_client(tmp_path / "nowhere", "anna", "observer")


def test_where_no_folder_can_be_made(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ServiceError, match="cannot be written"):
        keys.make_keys(tmp_path / "file" / "keys")


def test_what_is_wrong_with_one_file_excludes_its_client_alone(folder):
    roles = Keys.load(folder).roles
    anna, otto = sorted(roles, key=lambda key: roles[key])
    open_a_key(folder)
    found = keys.read_clients(folder)
    assert found.roles == {anna: "controller"}
    assert len(found.faults) == 1
    open_the_folder(folder)
    assert keys.read_clients(folder).roles == {}
    folder.chmod(0o700)
    (folder / "observers" / "otto.key").chmod(0o644)
    assert keys.read_clients(folder) == ({anna: "controller", otto: "observer"}, [])
    promote(folder)
    assert keys.read_clients(folder).roles == {anna: "controller", otto: "observer"}  # the lesser of two roles
    expose_a_pair(folder)
    assert keys.read_clients(folder).roles == {otto: "observer"}


def rewrite(folder):
    file = folder / "observers" / "otto.key"
    text, before = file.read_text(), file.stat()
    file.write_text(text.replace(text[-10], "A"))
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))


def add(folder):
    keys.add_client(folder, "new", "observer")


def move(folder):
    (folder / "observers" / "otto.key").rename(folder / "controllers" / "otto.key")


def remove(folder):
    (folder / "controllers" / "anna.key").unlink()


def move_away(folder):
    folder.rename(folder.parent / "gone")


CHANGES = (rewrite, add, move, remove, move_away, open_the_folder_above, open_controllers, open_a_key, expose_a_pair)


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
def test_every_change_of_the_folder_can_be_seen(folder, change):
    before = keys.marks(folder)
    assert keys.marks(folder) == before
    change(folder)
    assert keys.marks(folder) != before
