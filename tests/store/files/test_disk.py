"""The local disk makes each change, durably when it is synced, and refuses what would hide a mistake."""

import errno
import os
import re
from pathlib import Path

import pytest

import fedcli.store
from fedcli.core.errors import DiskError
from fedcli.store.files.disk import LOCAL, ExplainedDisk


def test_no_other_module_of_the_store_imports_what_changes_files():
    folder = Path(fedcli.store.__file__).parent
    importing = {
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*.py")
        if re.search(r"^\s*(import|from) (os|shutil|tempfile)\b", path.read_text(), re.MULTILINE)
    }
    # A lock is not a change: it ends with its process. The guarded reader opens files for reading only.
    assert importing == {"files/disk.py", "files/locks.py", "files/guarded.py"}


def test_every_change_is_made(tmp_path):
    folder, file = tmp_path / "folder", tmp_path / "folder" / "file"
    LOCAL.make_folder(folder, mode=0o700)
    LOCAL.write(file, b"one", mode=0o600)
    LOCAL.append(file, b" two")
    assert (file.read_bytes(), file.stat().st_mode & 0o777) == (b"one two", 0o600)
    assert folder.stat().st_mode & 0o777 == 0o700
    LOCAL.truncate(file, 2)
    LOCAL.sync(file)
    LOCAL.sync(folder)
    (tmp_path / "target").write_bytes(b"old")
    LOCAL.rename(file, tmp_path / "target")
    assert (tmp_path / "target").read_bytes() == b"on"
    LOCAL.remove(tmp_path / "target")
    LOCAL.remove(folder)
    assert not any(tmp_path.iterdir())


def test_a_link_is_removed_and_not_what_it_points_at(tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "folder")
    LOCAL.remove(tmp_path / "link")
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]


def test_what_exists_is_not_written_and_what_does_not_is_not_appended_to(tmp_path):
    (tmp_path / "file").write_bytes(b"old")
    with pytest.raises(FileExistsError):
        LOCAL.write(tmp_path / "file", b"new")
    assert (tmp_path / "file").read_bytes() == b"old"
    with pytest.raises(FileNotFoundError):
        LOCAL.append(tmp_path / "absent", b"line")
    with pytest.raises(FileNotFoundError):
        LOCAL.sync(tmp_path / "absent")
    with pytest.raises(OSError, match="not empty"):
        LOCAL.remove(tmp_path)


def test_a_disk_that_fails_says_which_file_and_one_that_works_changes_the_same(tmp_path):
    class Full:
        def __init__(self, number):
            self.number = number

        def __getattr__(self, _change):
            def fail(*_arguments, **_more):
                raise OSError(self.number, os.strerror(self.number))

            return fail

    file, calls = tmp_path / "file", {"write": [b""], "append": [b""], "truncate": [0], "sync": []}
    full = ExplainedDisk(Full(errno.ENOSPC))
    for change, arguments in {**calls, "rename": [tmp_path], "remove": [], "make_folder": []}.items():
        with pytest.raises(DiskError, match=rf"^{file} cannot be written: No space left on device\.$"):
            getattr(full, change)(file, *arguments)
    with pytest.raises(DiskError, match=rf"^{file} cannot be written: Permission denied\.$"):
        ExplainedDisk(Full(errno.EACCES)).write(file, b"")
    # What the store itself must know stays as it is.
    with pytest.raises(FileExistsError):
        ExplainedDisk(Full(errno.EEXIST)).write(file, b"")
    ExplainedDisk(LOCAL).write(file, b"content")
    assert file.read_bytes() == b"content"
