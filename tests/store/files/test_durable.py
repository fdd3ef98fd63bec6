"""A reader sees the old file or the new one, the finished folder or none."""

import hashlib

import pytest

from fedcli.store.files import durable


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


def test_a_write_that_fails_leaves_the_old_file(tmp_path):
    durable.write(tmp_path / "a", "old")
    (tmp_path / ".a.tmp").mkdir()
    with pytest.raises(IsADirectoryError):
        durable.write(tmp_path / "a", "new")
    assert (tmp_path / "a").read_text() == "old"


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


def test_files_and_folders_can_be_synced(tmp_path):
    durable.sync(tmp_path)
    with pytest.raises(FileNotFoundError):
        durable.sync(tmp_path / "absent")


def test_a_secret_is_readable_by_its_owner_only_also_where_a_killed_process_left_its_draft(tmp_path):
    (tmp_path / ".key.tmp").write_bytes(b"left behind")
    durable.write(tmp_path / "key", b"secret", mode=0o600)
    assert (tmp_path / "key").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "key").read_bytes() == b"secret"
    assert names(tmp_path) == ["key"]
