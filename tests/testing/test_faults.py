"""Each failing disk fails where and how it says, and a power cut takes what was not synced."""

import errno

import pytest

from fedcli.testing import faults


def story(folder, disk):
    """Five changes: a folder, a file of 4 bytes, 4 bytes more, its new name, and its content on the disk."""
    disk.make_folder(folder / "a")
    disk.write(folder / "a" / "x", b"1234")
    disk.append(folder / "a" / "x", b"5678")
    disk.rename(folder / "a" / "x", folder / "y")
    disk.sync(folder / "y")


def left(folder):
    return {path.name: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_recording_makes_every_change_and_knows_it(tmp_path):
    disk = faults.recording()
    story(tmp_path, disk)
    assert [change.kind for change in disk.changes] == ["make_folder", "write", "append", "rename", "sync"]
    assert left(tmp_path) == {"y": b"12345678"}


@pytest.mark.parametrize(
    ("disk", "expected"),
    [
        (faults.dead(1), {}),
        (faults.dead(2), {}),
        (faults.dead(3), {"x": b"1234"}),
        (faults.dead(5), {"y": b"12345678"}),
        (faults.torn(2), {"x": b"12"}),
        (faults.torn(3), {"x": b"123456"}),
        (faults.torn(4), {"x": b"12345678"}),
    ],
)
def test_a_process_that_died_changes_nothing_more(tmp_path, disk, expected):
    with pytest.raises(faults.Died):
        story(tmp_path, disk)
    assert left(tmp_path) == expected
    for change in (lambda: disk.remove(tmp_path / "a"), lambda: disk.write(tmp_path / "z", b"")):
        with pytest.raises(faults.Died):
            change()
    assert left(tmp_path) == expected


def test_a_broken_change_is_one_error_and_the_next_is_made(tmp_path):
    disk = faults.broken(2)
    disk.make_folder(tmp_path / "a")
    with pytest.raises(OSError, match="Input/output error") as caught:
        disk.write(tmp_path / "a" / "x", b"1")
    assert (caught.value.errno, caught.value.filename) == (errno.EIO, str(tmp_path / "a" / "x"))
    disk.write(tmp_path / "a" / "x", b"2")
    assert left(tmp_path) == {"x": b"2"}


@pytest.mark.parametrize(("room", "expected"), [(0, b""), (3, b"123"), (4, b"1234"), (7, b"1234567")])
def test_a_full_disk_keeps_what_fits_and_stays_full(tmp_path, room, expected):
    disk = faults.full(room)
    with pytest.raises(OSError, match="No space left") as caught:
        story(tmp_path, disk)
    assert caught.value.errno == errno.ENOSPC
    assert left(tmp_path) == {"x": expected}
    with pytest.raises(OSError, match="No space left"):
        disk.append(tmp_path / "a" / "x", b"9")
    story(tmp_path / "a", faults.full(8))


@pytest.mark.parametrize(
    ("number", "expected"), [(1, {}), (4, {}), (5, {}), (6, {"y": b"12345678"}), (9, {"y": b"12345678"})]
)
def test_a_power_cut_leaves_what_was_synced_under_the_names_that_were(tmp_path, number, expected):
    root, copy, disk = tmp_path / "root", tmp_path / "copy", faults.recording()
    root.mkdir()
    copy.mkdir()
    story(root, disk)
    disk.sync(root)
    disk.append(root / "y", b"9")
    disk.truncate(root / "y", 2)
    disk.remove(root / "y")
    faults.after_power_cut(disk.changes[:number], root, copy)
    assert left(copy) == expected
    assert (copy / "a").is_dir() == (number >= 6)


def test_a_change_that_was_recorded_is_made_again(tmp_path):
    disk = faults.recording()
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    story(tmp_path / "one", disk)
    for change in disk.changes:
        faults.make(change.below(tmp_path / "one", tmp_path / "two"))
    assert left(tmp_path / "two") == left(tmp_path / "one")


def test_names_may_survive_a_power_cut_that_takes_the_content_and_rights_are_kept(tmp_path):
    root, copy, disk = tmp_path / "root", tmp_path / "copy", faults.recording()
    root.mkdir()
    copy.mkdir()
    disk.make_folder(root / "a", mode=0o700)
    disk.write(root / "a" / "x", b"1234", mode=0o600)
    faults.after_power_cut(disk.changes, root, copy, keeps_names=True)
    assert left(copy) == {"x": b""}
    assert ((copy / "a").stat().st_mode & 0o777, (copy / "a" / "x").stat().st_mode & 0o777) == (0o700, 0o600)
