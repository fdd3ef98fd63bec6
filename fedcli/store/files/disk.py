"""The disk under a run directory: each change that a run makes to the file system is one call of it.

The store receives it from outside, so that a test can give one that fails (`fedcli/testing/faults.py`). What only reads
changes nothing, and needs no such object.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Protocol, TypeAlias, final

from fedcli.core.errors import DiskError

Content: TypeAlias = bytes | Callable[[BinaryIO], None]
"""What a file holds: its bytes, or a function that writes them to an open file, so that no copy is in memory."""


class Disk(Protocol):
    """The changes that a run makes.

    A change is visible to readers when its call returns. It survives a power cut only after `sync`: a sync of a file
    covers its content, and a sync of a folder covers the names in it.

    Every method raises OSError if the change cannot be made.
    """

    def make_folder(self, path: Path, *, mode: int = 0o777) -> None:
        """Make a folder; its parent exists and it does not. `mode` is who may enter it, before the umask."""
        ...

    def write(self, path: Path, content: Content, *, mode: int = 0o666) -> None:
        """Make a file with this content; no file of that name exists. `mode` is who may read it, before the umask."""
        ...

    def append(self, path: Path, content: bytes) -> None:
        """Add to the end of a file that exists."""
        ...

    def truncate(self, path: Path, length: int) -> None:
        """Cut a file off after `length` bytes."""
        ...

    def sync(self, path: Path) -> None:
        """Force a file's content, or the names in a folder, to the disk."""
        ...

    def rename(self, path: Path, target: Path) -> None:
        """Move a file or a folder at once; a file replaces the file `target`."""
        ...

    def remove(self, path: Path) -> None:
        """Remove a file or an empty folder."""
        ...


@final
class LocalDisk:
    """The disk of this machine."""

    def make_folder(self, path: Path, *, mode: int = 0o777) -> None:
        """Make a folder."""
        os.mkdir(path, mode)

    def write(self, path: Path, content: Content, *, mode: int = 0o666) -> None:
        """Make a file."""
        # A file that is there already would keep its own mode, which may let others read a secret.
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        with os.fdopen(handle, "wb") as file:
            if isinstance(content, bytes):
                file.write(content)
            else:
                content(file)

    def append(self, path: Path, content: bytes) -> None:
        """Add to a file."""
        # Without O_CREAT: a log that was removed under a running process is an error, not a new log.
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_APPEND | os.O_NOFOLLOW), "ab") as file:
            file.write(content)

    def truncate(self, path: Path, length: int) -> None:
        """Cut a file off."""
        # A link leads to a file that is not the run's.
        handle = os.open(path, os.O_WRONLY | os.O_NOFOLLOW)
        try:
            os.ftruncate(handle, length)
        finally:
            os.close(handle)

    def sync(self, path: Path) -> None:
        """Wait until a file or a folder is on the disk."""
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)

    def rename(self, path: Path, target: Path) -> None:
        """Move a file or a folder."""
        path.replace(target)

    def remove(self, path: Path) -> None:
        """Remove a file or an empty folder."""
        # A link is removed itself, and never the folder that it points to.
        if path.is_dir() and not path.is_symlink():
            path.rmdir()
        else:
            path.unlink()


@final
class ExplainedDisk:
    """A disk whose failures are sentences with the name of the file.

    Args:
        disk: makes the changes.
    """

    def __init__(self, disk: Disk) -> None:
        self._disk = disk

    def make_folder(self, path: Path, *, mode: int = 0o777) -> None:
        """Make a folder."""
        with _explained(path):
            self._disk.make_folder(path, mode=mode)

    def write(self, path: Path, content: Content, *, mode: int = 0o666) -> None:
        """Make a file."""
        with _explained(path):
            self._disk.write(path, content, mode=mode)

    def append(self, path: Path, content: bytes) -> None:
        """Add to a file."""
        with _explained(path):
            self._disk.append(path, content)

    def truncate(self, path: Path, length: int) -> None:
        """Cut a file off."""
        with _explained(path):
            self._disk.truncate(path, length)

    def sync(self, path: Path) -> None:
        """Wait until a file or a folder is on the disk."""
        with _explained(path):
            self._disk.sync(path)

    def rename(self, path: Path, target: Path) -> None:
        """Move a file or a folder."""
        with _explained(path):
            self._disk.rename(path, target)

    def remove(self, path: Path) -> None:
        """Remove a file or an empty folder."""
        with _explained(path):
            self._disk.remove(path)


# Of these the disk is the cause; a file that exists or does not is the store's own affair.
_CAUSES = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EROFS, errno.EACCES, errno.EPERM)


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno not in _CAUSES:
            raise
        raise DiskError(f"{path} cannot be written: {error.strerror}.") from error


LOCAL: Disk = LocalDisk()
