"""A reader sees the old file or the new one, the finished folder or none."""

import contextlib
import hashlib

import pytest

from fedcli.store.files import durable
from fedcli.testing import faults


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_write_makes_and_replaces_a_file_and_leaves_nothing_beside_it(tmp_path):
    path = tmp_path / "a.json"
    durable.write(path, "old")
    durable.write(path, "née")
    assert path.read_text(encoding="utf-8") == "née"
    durable.write(path, b"\x00\xff")
    assert path.read_bytes() == b"\x00\xff"
    assert names(tmp_path) == ["a.json"]


def test_a_reader_of_the_old_file_keeps_the_old_content(tmp_path):
    path = tmp_path / "a"
    durable.write(path, "old content")
    with path.open() as reader:
        durable.write(path, "new")
        assert reader.read() == "old content"


@pytest.mark.parametrize("fault", [faults.dead, faults.torn, faults.broken])
def test_a_write_is_the_old_content_or_the_new(tmp_path, fault):
    path, disk = tmp_path / "a", faults.recording()
    durable.write(path, "old", disk=disk)
    assert [change.kind for change in disk.changes] == ["write", "sync", "rename", "sync"]
    for number in range(1, 5):
        with pytest.raises((faults.Died, OSError)):
            durable.write(path, "new" * 1000, disk=fault(number))
        assert path.read_text() == ("new" * 1000 if number == 4 else "old")
        durable.write(path, "old")
    assert names(tmp_path) == ["a"]


@pytest.mark.parametrize("room", [0, 1, 2999])
def test_a_write_to_a_full_disk_leaves_the_old_file(tmp_path, room):
    durable.write(tmp_path / "a", "old")
    with pytest.raises(OSError, match="No space left on device"):
        durable.write(tmp_path / "a", "new" * 1000, disk=faults.full(room))
    assert (tmp_path / "a").read_text() == "old"
    durable.write(tmp_path / "a", "new" * 1000, disk=faults.full(3000))
    assert (tmp_path / "a").read_text() == "new" * 1000


def test_a_killed_write_is_overwritten_by_the_next(tmp_path):
    (tmp_path / ".a.tmp").write_text("a part of a longer fi")
    durable.write(tmp_path / "a", "new")
    assert (tmp_path / "a").read_text() == "new"
    assert names(tmp_path) == ["a"]


def test_a_published_folder_stands_under_its_final_name_only(tmp_path):
    draft = durable.fresh(tmp_path / ".round.tmp")
    (draft / "deep").mkdir()
    (draft / "deep" / "file").write_text("content")
    durable.publish(draft, tmp_path / "round")
    assert names(tmp_path) == ["round"]
    assert (tmp_path / "round" / "deep" / "file").read_text() == "content"


def test_publishing_over_a_folder_that_is_not_empty_fails_and_loses_neither(tmp_path):
    target, draft = durable.fresh(tmp_path / "round"), durable.fresh(tmp_path / "draft")
    (target / "old").touch()
    (draft / "new").touch()
    with pytest.raises(OSError, match="not empty"):
        durable.publish(draft, target)
    assert (names(target), names(draft)) == (["old"], ["new"])


def test_a_fresh_folder_is_empty_whatever_stood_there(tmp_path):
    folder = tmp_path / "not" / "yet"
    assert names(durable.fresh(folder)) == []
    (folder / "left").mkdir()
    (folder / "left" / "over").write_text("by a killed process")
    assert names(durable.fresh(folder)) == []


@pytest.mark.parametrize("content", [b"", b"abc", bytes(3_000_000)])
def test_sha256_is_that_of_the_content(tmp_path, content):
    (tmp_path / "file").write_bytes(content)
    assert durable.sha256(tmp_path / "file") == hashlib.sha256(content).hexdigest()


def test_a_discarded_folder_is_whole_or_has_no_name(tmp_path):
    for number in range(1, 6):
        folder = durable.fresh(tmp_path / f"{number}" / "round")
        for name in ("one", "two"):
            (folder / name).write_text(name)
        with pytest.raises(faults.Died) if number < 5 else contextlib.nullcontext():
            durable.discard(folder, disk=faults.dead(number))
        assert not folder.exists() or names(folder) == ["one", "two"]
        assert folder.exists() == (number == 1)
    assert names(folder.parent) == []


def test_a_new_folder_and_its_parents_survive_a_power_cut(tmp_path):
    disk, root, copy = faults.recording(), tmp_path / "root", tmp_path / "copy"
    root.mkdir()
    copy.mkdir()
    folder = durable.make_folder(root / "not" / "yet", mode=0o700, disk=disk)
    assert folder.stat().st_mode & 0o777 == 0o700
    faults.after_power_cut(disk.changes, root, copy)
    assert (copy / "not" / "yet").is_dir()
    durable.make_folder(folder, disk=faults.dead(1))  # it is there: nothing is done


def test_a_secret_is_readable_by_its_owner_only_also_where_a_killed_process_left_its_draft(tmp_path):
    (tmp_path / ".key.tmp").write_bytes(b"left behind")
    durable.write(tmp_path / "key", b"secret", mode=0o600)
    assert (tmp_path / "key").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "key").read_bytes() == b"secret"
    assert names(tmp_path) == ["key"]
