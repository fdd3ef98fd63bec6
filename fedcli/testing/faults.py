"""Disks that fail: full, torn, dead at the n-th change, or broken for one change; and what a power cut leaves.

Run the code under test (`story`) once on `recording()`, which counts its changes, and then once for each change:

    disk = faults.recording()
    story(disk)
    for number in range(1, len(disk.changes) + 1):
        with pytest.raises(faults.Died):
            story(faults.dead(at=number))
        # Resume here on the real disk, and compare with the story that was not interrupted.

Changes are numbered from 1 in the order in which they are made, so code that does the same each time has the same
numbers each time.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Literal, NamedTuple, final

from fedcli.store.files.disk import LOCAL, Content, Disk

Kind = Literal["make_folder", "write", "append", "truncate", "sync", "rename", "remove"]


class Died(BaseException):
    """The process ends here. It is not an Exception, so that no handler of errors runs as if it went on."""


class Change(NamedTuple):
    """One call of a disk.

    Args:
        kind: the method of `Disk`.
        path: the file or folder that it is about.
        content: what is written or appended.
        target: the new name, of a rename.
        length: what remains, of a truncation; bytes.
        mode: the permissions of what is made.
    """

    kind: Kind
    path: Path
    content: bytes = b""
    target: Path | None = None
    length: int = 0
    mode: int = 0o777

    def below(self, root: Path, other: Path) -> Change:
        """The same change below the folder `other` instead of `root`."""
        target = self.target and other / self.target.relative_to(root)
        return self._replace(path=other / self.path.relative_to(root), target=target)


class Fault(NamedTuple):
    """How a change fails.

    Args:
        error: what is raised.
        written: bytes of the content that reach the file before; None if nothing happens at all.
    """

    error: BaseException
    written: int | None = None


Rule = Callable[[int, Change], Fault | None]
"""`(number, change)` -> how the change fails; None if it is made."""


@final
class FaultyDisk:
    """A disk that asks a rule before each change, and remembers the changes that were made.

    A sync is remembered and not passed on: the files of a test need not be durable, and waiting for a disk takes long.

    Args:
        rule: which changes fail, and how.
        disk: where the others are made.
    """

    def __init__(self, rule: Rule, disk: Disk = LOCAL) -> None:
        self.changes: list[Change] = []
        self._rule, self._disk, self._asked = rule, disk, 0

    def make_folder(self, path: Path, *, mode: int = 0o777) -> None:
        """As `Disk.make_folder`."""
        self._do(Change("make_folder", path, mode=mode))

    def write(self, path: Path, content: Content, *, mode: int = 0o666) -> None:
        """As `Disk.write`."""
        self._do(Change("write", path, _written(content), mode=mode))

    def append(self, path: Path, content: bytes) -> None:
        """As `Disk.append`."""
        self._do(Change("append", path, content))

    def truncate(self, path: Path, length: int) -> None:
        """As `Disk.truncate`."""
        self._do(Change("truncate", path, length=length))

    def sync(self, path: Path) -> None:
        """As `Disk.sync`, without the wait."""
        self._do(Change("sync", path))

    def rename(self, path: Path, target: Path) -> None:
        """As `Disk.rename`."""
        self._do(Change("rename", path, target=target))

    def remove(self, path: Path) -> None:
        """As `Disk.remove`."""
        self._do(Change("remove", path))

    def _do(self, change: Change) -> None:
        self._asked += 1
        fault = self._rule(self._asked, change)
        if fault is None:
            make(change, self._disk)
            # Only what was made: a power cut after it can leave nothing else.
            self.changes.append(change)
            return
        # Other changes are made or not: nothing of them can be cut off.
        if fault.written is not None and change.kind in ("write", "append"):
            make(change._replace(content=change.content[: fault.written]), self._disk)
        raise fault.error


def _written(content: Content) -> bytes:
    if isinstance(content, bytes):
        return content
    file = BytesIO()
    content(file)
    return file.getvalue()


def make(change: Change, disk: Disk = LOCAL) -> None:
    """Make a recorded change; a sync is left out."""
    match change.kind:
        case "make_folder":
            disk.make_folder(change.path, mode=change.mode)
        case "write":
            disk.write(change.path, change.content, mode=change.mode)
        case "append":
            disk.append(change.path, change.content)
        case "truncate":
            disk.truncate(change.path, change.length)
        case "rename":
            disk.rename(change.path, change.target or change.path)
        case "remove":
            disk.remove(change.path)
        case "sync":
            pass


def recording() -> FaultyDisk:
    """A disk that never fails; its `changes` say what a story does."""
    return FaultyDisk(lambda _number, _change: None)


def dead(at: int) -> FaultyDisk:
    """The process dies just before the change of this number, counted from 1: that change and all later ones fail.

    Later ones, because `finally` and `with` of a dead process do not run either.
    """
    return FaultyDisk(lambda number, _change: Fault(Died()) if number >= at else None)


def torn(at: int) -> FaultyDisk:
    """The process dies in the middle of the change of this number: half of what it writes reaches the file.

    A change that writes nothing is not made, as on `dead`.
    """

    def rule(number: int, change: Change) -> Fault | None:
        if number < at:
            return None
        return Fault(Died(), len(change.content) // 2 if number == at else None)

    return FaultyDisk(rule)


def broken(at: int) -> FaultyDisk:
    """The change of this number fails with EIO and is not made; all others are."""

    def rule(number: int, change: Change) -> Fault | None:
        if number != at:
            return None
        return Fault(OSError(errno.EIO, os.strerror(errno.EIO), str(change.path)))

    return FaultyDisk(rule)


def full(room: int) -> FaultyDisk:
    """A disk with room for so many bytes. A write that does not fit is cut off with ENOSPC, and later ones too.

    Only content takes room; what is removed makes none.
    """
    left = room

    def rule(_number: int, change: Change) -> Fault | None:
        nonlocal left
        if len(change.content) <= left:
            left -= len(change.content)
            return None
        written, left = left, 0
        return Fault(OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(change.path)), written)

    return FaultyDisk(rule)


@dataclass
class _File:
    now: bytes
    # A file that was never synced may be empty after a power cut, even if its name is there.
    synced: bytes = b""
    mode: int = 0o666


@dataclass
class _Folder:
    now: dict[str, _File | _Folder] = field(default_factory=dict)
    synced: dict[str, _File | _Folder] = field(default_factory=dict)
    mode: int = 0o777


def after_power_cut(changes: Iterable[Change], root: Path, copy: Path, *, keeps_names: bool = False) -> None:
    """Make in the folder `copy` the least that `root` may have after these changes and a power cut.

    A file has the content of its last sync, and a folder has the names of its last sync.

    Args:
        changes: all changes below `root`, from the time when it was an empty folder.
        root: where they were made.
        copy: an empty folder.
        keeps_names: whether names survive without a sync, as on a disk that writes them before the content of files.
    """
    top = _Folder()
    for change in changes:
        _apply(change, top, root)
    _lay_out(top, copy, keeps_names=keeps_names)


def _apply(change: Change, top: _Folder, root: Path) -> None:
    """One change to the model of a disk, in which a rename moves the same file to another name."""
    folder, name = _folder_of(change.path, top, root), change.path.name
    # The root's own name is in a folder that is not part of the model.
    node = top if change.path == root else folder.now.get(name)
    match change.kind, node:
        case "make_folder", _:
            folder.now[name] = _Folder(mode=change.mode)
        case "write", _:
            folder.now[name] = _File(change.content, mode=change.mode)
        case "append", _File():
            node.now += change.content
        case "truncate", _File():
            node.now = node.now[: change.length]
        case "sync", _File():
            node.synced = node.now
        case "sync", _Folder():
            # A copy of the names, and not of the files, which have a sync of their own.
            node.synced = dict(node.now)
        case "rename", _File() | _Folder() if change.target is not None:
            del folder.now[name]
            _folder_of(change.target, top, root).now[change.target.name] = node
        case "remove", _:
            del folder.now[name]


def _folder_of(path: Path, top: _Folder, root: Path) -> _Folder:
    folder = top
    for name in path.relative_to(root).parts[:-1]:
        inner = folder.now[name]
        if not isinstance(inner, _Folder):
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(path))
        folder = inner
    return folder


def _lay_out(folder: _Folder, place: Path, *, keeps_names: bool) -> None:
    for name, node in (folder.now if keeps_names else folder.synced).items():
        if isinstance(node, _Folder):
            LOCAL.make_folder(place / name, mode=node.mode)
            _lay_out(node, place / name, keeps_names=keeps_names)
        else:
            LOCAL.write(place / name, node.synced, mode=node.mode)
