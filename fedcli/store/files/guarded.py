"""Opens files of a run directory, which may come from anyone: regular files of bounded size, below that directory.

A directory of a stranger may have links that lead out of it or to a device, pipes that never answer, and files that
are larger than they look. So nothing below a run directory is followed, and nothing is waited for.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, final

from fedcli.core.errors import RunError

# Bytes read at a time, since logs and arrays may be larger than memory should be.
CHUNK = 1 << 20
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
# Without O_NONBLOCK, a named pipe that replaces a file after it was looked at would be waited for.
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC


@final
class FileRefused(RunError):
    """A file or folder of a run directory that is missing, or that is not opened.

    Args:
        path: what it is about; a folder on the way to the file, if that is at fault.
        reason: what is wrong, as the end of a sentence that begins with the path.
        is_missing: whether there is nothing of that name.
    """

    def __init__(self, path: Path, reason: str, *, is_missing: bool = False) -> None:
        super().__init__(f"{path} {reason}.")
        self.path, self.reason, self.is_missing = path, reason, is_missing


def read_bytes(path: Path, *, below: Path, limit: int) -> bytes:
    """The content of a file.

    Args:
        path: the file.
        below: the run directory, which may itself be a link; nothing below it may be.
        limit: how many bytes the file may have; more are not read.

    Raises:
        FileRefused: if it is missing, is not a regular file of that directory, or is larger.
    """
    with opened(path, below=below, limit=limit) as file:
        size = os.fstat(file.fileno()).st_size
        try:
            # One byte more than it has, to notice that it grows. Not up to the limit, which would be allocated.
            content = file.read(size + 1)
        except OSError as error:
            raise _unreadable(path, error) from None
    if len(content) > size:
        raise FileRefused(path, "changes while it is read")
    return content


def read_pieces(path: Path, *, below: Path, limit: int) -> Iterator[bytes]:
    """The content of a file that is too large to be held in memory; raises as `read_bytes` does."""
    with opened(path, below=below, limit=limit) as file:
        # As many bytes as were found at first: a log that a run writes may grow without end.
        left = os.fstat(file.fileno()).st_size
        try:
            while left and (piece := file.read(min(CHUNK, left))):
                left -= len(piece)
                yield piece
        except OSError as error:
            raise _unreadable(path, error) from None


def size(path: Path, *, below: Path, limit: int) -> int:
    """How many bytes a file has; raises as `read_bytes` does."""
    with opened(path, below=below, limit=limit) as file:
        return os.fstat(file.fileno()).st_size


def sha256(path: Path, *, below: Path, limit: int) -> str:
    """Hexadecimal SHA-256 of a file; raises as `read_bytes` does."""
    running = hashlib.sha256()
    for piece in read_pieces(path, below=below, limit=limit):
        running.update(piece)
    return running.hexdigest()


def fault(path: Path, expected: str, *, below: Path, limit: int) -> str | None:
    """Why a file does not have this SHA-256, as the end of a sentence that begins with the file; None if it does."""
    try:
        found = sha256(path, below=below, limit=limit)
    except FileRefused as error:
        # A folder on the way to the file may be at fault, which then is to be named.
        return error.reason if error.path == path else f"cannot be read: {error}".removesuffix(".")
    return None if found == expected else _another(found, expected)


def require_digest(path: Path, content: bytes, expected: str) -> None:
    """Refuse the content of a file that has another SHA-256.

    Raises:
        FileRefused: with both digests.
    """
    found = hashlib.sha256(content).hexdigest()
    if found != expected:
        raise FileRefused(path, _another(found, expected))


@contextmanager
def opened(path: Path, *, below: Path, limit: int) -> Iterator[BinaryIO]:
    """An open file, to be read once; raises as `read_bytes` does."""
    with _folder_of(path, below) as folder:
        _require(path, _mode(path, folder), stat.S_IFREG)
        try:
            handle = os.open(path.name, _FILE, dir_fd=folder)
        except OSError as error:
            raise _unreadable(path, error) from None
    with os.fdopen(handle, "rb") as file:
        found = os.fstat(handle)
        # Again: it may have been replaced since it was looked at.
        _require(path, found.st_mode, stat.S_IFREG)
        if found.st_size > limit:
            raise FileRefused(path, f"has {found.st_size:,} bytes; such a file has at most {limit:,}")
        yield file


def names(folder: Path, *, below: Path) -> list[str]:
    """The names in a folder, sorted.

    Raises:
        FileRefused: if it is missing, or is not a folder of the run directory.
    """
    try:
        if folder == below:
            return sorted(os.listdir(folder))
        with _folder_of(folder / "any", below) as handle:
            return sorted(os.listdir(handle))
    except OSError as error:
        raise _unreadable(folder, error) from None


def is_file(path: Path, *, below: Path) -> bool:
    """Whether there is a regular file of that name, with no link on the way to it."""
    return _is(path, below, stat.S_IFREG)


def is_folder(path: Path, *, below: Path) -> bool:
    """Whether there is a folder of that name, with no link on the way to it."""
    return _is(path, below, stat.S_IFDIR)


def exists(path: Path, *, below: Path) -> bool:
    """Whether there is anything of that name: also a link that leads nowhere."""
    return _is(path, below, None)


def require_plain(run: Path) -> None:
    """Refuse a run directory that has anything but files and folders, before something is written to it.

    Raises:
        FileRefused: for the first link, pipe, socket or device.
    """
    waiting = [run]
    while waiting:
        folder = waiting.pop()
        for name in names(folder, below=run):
            path = folder / name
            kind = stat.S_IFMT(os.lstat(path).st_mode)
            if kind == stat.S_IFDIR:
                waiting.append(path)
            elif kind != stat.S_IFREG:
                raise FileRefused(path, f"{_named(kind)}; a run directory has files and folders only")


def _is(path: Path, below: Path, kind: int | None) -> bool:
    try:
        with _folder_of(path, below) as folder:
            mode = _mode(path, folder)
    except FileRefused:
        return False
    return kind is None or stat.S_IFMT(mode) == kind


@contextmanager
def _folder_of(path: Path, below: Path) -> Iterator[int]:
    """The folder of a path as a handle: entered from the run directory, one name after the other."""
    parts = path.relative_to(below).parts
    if not parts or ".." in parts:
        raise FileRefused(path, f"is not below {below}")
    try:
        handle = os.open(below, _FOLDER)
    except OSError as error:
        raise _unreadable(below, error) from None
    try:
        place = below
        for part in parts[:-1]:
            place /= part
            try:
                _require(place, _mode(place, handle), stat.S_IFDIR)
            except FileRefused as error:
                # Where its folder is missing, so is the file, which is what the caller asked for.
                raise (
                    FileRefused(path, error.reason, is_missing=True) if error.is_missing else error
                ) from None
            try:
                inner = os.open(part, _FOLDER | os.O_NOFOLLOW, dir_fd=handle)
            except OSError as error:
                raise _unreadable(place, error) from None
            os.close(handle)
            handle = inner
        yield handle
    finally:
        os.close(handle)


def _mode(path: Path, folder: int) -> int:
    try:
        return os.stat(path.name, dir_fd=folder, follow_symlinks=False).st_mode
    except (OSError, ValueError) as error:
        raise _unreadable(path, error) from None


def _require(path: Path, mode: int, kind: int) -> None:
    found = stat.S_IFMT(mode)
    if found != kind:
        expected = "a folder" if kind == stat.S_IFDIR else "a file"
        raise FileRefused(path, f"is not {expected}: it {_named(found)}")


def _named(kind: int) -> str:
    return {
        stat.S_IFLNK: "is a symbolic link, which is not followed",
        stat.S_IFIFO: "is a named pipe",
        stat.S_IFSOCK: "is a socket",
        stat.S_IFDIR: "is a folder",
        stat.S_IFREG: "is a file",
    }.get(kind, "is a device")


def _another(found: str, expected: str) -> str:
    return f"is not the file that the run wrote: its SHA-256 begins with {found[:16]} and was {expected[:16]}"


def _unreadable(path: Path, error: OSError | ValueError) -> FileRefused:
    if isinstance(error, FileNotFoundError):
        return FileRefused(path, "is missing", is_missing=True)
    # A ValueError is a null character in the name.
    said = error.strerror if isinstance(error, OSError) else str(error)
    return FileRefused(path, f"cannot be read: {said}")
