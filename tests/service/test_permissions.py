"""Permissions: whose files and folders are trusted."""

import os

import pytest

from decoderd.errors import ServiceError
from decoderd.service import permissions
from decoderd.service.permissions import FOLDER, PUBLIC, SECRET


@pytest.fixture
def file(tmp_path):
    """A file in a folder in a folder; all are their owner's only."""
    found = tmp_path / "above" / "folder" / "file"
    found.parent.mkdir(parents=True)
    found.write_text("text")
    for path in (found, found.parent, found.parent.parent):
        path.chmod(0o700)
    return found


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o644, 0o755])
def test_others_may_read_what_is_public(file, mode):
    file.chmod(mode)
    permissions.check(file, PUBLIC)


@pytest.mark.parametrize("mode", [0o620, 0o602, 0o664])
def test_others_may_not_write(file, mode):
    file.chmod(mode)
    with pytest.raises(
        ServiceError, match=rf"file: group or others may write it \(mode {mode:04o}\); right is `chmod 644"
    ):
        permissions.check(file, PUBLIC)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o610, 0o622])
def test_others_may_not_use_a_secret_at_all(file, mode):
    file.chmod(mode)
    with pytest.raises(ServiceError, match=rf"read or write it \(mode {mode:04o}\); right is `chmod 600"):
        permissions.check(file, SECRET)


def test_a_folder_above_that_others_may_write_is_named(file):
    above = file.parent.parent
    above.chmod(0o777)
    with pytest.raises(ServiceError, match=rf"they may write {above} \(mode 0777\); right is `chmod go-w {above}`"):
        permissions.check(file, PUBLIC)
    above.chmod(0o1777)  # as /tmp: others may not rename or remove the folder in it
    permissions.check(file, PUBLIC)


def test_a_sticky_folder_of_keys_is_refused(file):
    file.parent.chmod(0o1777)  # others may add files
    with pytest.raises(ServiceError, match=r"folder: group or others may write it \(mode 1777\)"):
        permissions.check(file.parent, FOLDER)


def test_above_the_home_nothing_is_examined(file, monkeypatch):
    file.parent.parent.chmod(0o777)
    monkeypatch.setattr(permissions, "_home", lambda: str(file.parent))
    permissions.check(file, PUBLIC)


def test_the_target_of_a_link_counts(file, tmp_path):
    link = tmp_path / "link"
    link.symlink_to(file)
    permissions.check(link, PUBLIC)
    file.parent.parent.chmod(0o770)
    with pytest.raises(ServiceError, match=r"link: group or others may replace it.*above \(mode 0770\)"):
        permissions.check(link, PUBLIC)


def test_another_owner_is_refused(file, monkeypatch):
    own, seen = os.geteuid(), os.stat(file).st_uid
    monkeypatch.setattr(permissions.os, "geteuid", lambda: own + 4711)
    if seen == 0:
        permissions.check(file, PUBLIC)  # root's files are trusted by all
        os.chown(file, 4710, -1)
    with pytest.raises(
        ServiceError, match=rf"file: .* owns it and may change it; right is `chown {own + 4711} /.*file`"
    ):
        permissions.check(file, PUBLIC)


def test_what_is_not_there_is_an_os_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        permissions.check(tmp_path / "nowhere", PUBLIC)
