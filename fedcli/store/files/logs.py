"""Log files: they only grow, and are checked and cut back by the SHA-256 of their beginning."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple, final

from fedcli.core.errors import RunError
from fedcli.store.files import canonical_json, guarded, limits
from fedcli.store.files.disk import LOCAL, Disk
from fedcli.store.files.guarded import FileRefused


class Mark(NamedTuple):
    """A position in a log, in bytes, and the hexadecimal SHA-256 of everything before it."""

    bytes: int
    sha256: str


START = Mark(0, hashlib.sha256().hexdigest())


def to_mark(value: Any) -> Mark | None:
    """The mark that was written as JSON, as `mark._asdict()`; None if `value` is not a mark."""
    if not isinstance(value, dict) or value.keys() != set(Mark._fields):
        return None
    mark = Mark(**value)
    # Not `isinstance`, by which `true` in a manifest would be a length.
    sound = type(mark.bytes) is int and 0 <= mark.bytes <= limits.LOG and isinstance(mark.sha256, str)
    return mark if sound else None


def marks_at(path: Path, lengths: Iterable[int]) -> dict[int, Mark]:
    """The marks of a log at those of the lengths that it has reached, from reading it once.

    Raises:
        FileRefused: if there is no such file in the run directory.
    """
    return {length: Mark(length, hashed.hexdigest()) for length, hashed in _hashes(path, lengths)}


def records(path: Path) -> Iterator[dict[str, Any]]:
    """The records of a log, one a line.

    Raises:
        FileRefused: if there is no such file in the run directory.
        ValueError: at the first line that is damaged or was not finished; a killed process may leave half a line.
    """
    with guarded.opened(path, below=path.parent, limit=limits.LOG) as file:
        while line := file.readline(limits.RECORD + 1):
            if len(line) > limits.RECORD or not line.endswith(b"\n"):
                raise ValueError("has a line that was not finished")
            yield canonical_json.parse_object(line)


@final
class Log:
    """A log that is cut off at a mark and then grows.

    Args:
        path: the file, which exists.
        mark: where it is cut off.
        disk: where it is written.

    Raises:
        RunError: if the log before the mark is not as it was written.
    """

    def __init__(self, path: Path, mark: Mark, *, disk: Disk = LOCAL) -> None:
        self._path, self._disk = path, disk
        # Checked before it is cut off: a file that is not the run's log is left as it is.
        self._length, self._hash = mark.bytes, _required(path, mark)
        disk.truncate(path, mark.bytes)

    def append(self, text: str) -> None:
        """Write `text` at the end. It is durable only after `sync`.

        Raises:
            RunError: if the log would become longer than what is read; nothing is written then.
        """
        content = text.encode()
        if self._length + len(content) > limits.LOG:
            raise RunError(
                f"{self._path} would have {self._length + len(content):,} bytes; a log that can be read again has at "
                f"most {limits.LOG:,}.\nThe run ends at its last checkpoint, from which a new run can go on by "
                "`model.initial_weights`."
            )
        self._disk.append(self._path, content)
        self._hash.update(content)
        self._length += len(content)

    def sync(self) -> Mark:
        """Force the log to the disk, and return the mark of its end."""
        self._disk.sync(self._path)
        return Mark(self._length, self._hash.hexdigest())


def _required(path: Path, mark: Mark) -> hashlib._Hash:
    try:
        found = dict(_hashes(path, [mark.bytes])).get(mark.bytes)
    except FileRefused as error:
        raise RunError(f"{error}\nRestore the file.") from None
    if found is None:
        raise RunError(
            f"{path} is shorter than the checkpoint says ({mark.bytes} bytes): lines were removed.\n"
            "Restore the file, or start a new run."
        )
    if found.hexdigest() != mark.sha256:
        raise RunError(
            f"{path} is not the log that the run wrote: the SHA-256 of its first {mark.bytes} bytes is "
            f"{found.hexdigest()[:16]}..., the checkpoint says {mark.sha256[:16]}...\n"
            "Restore the file, or start a new run."
        )
    return found


def _hashes(path: Path, lengths: Iterable[int]) -> Iterator[tuple[int, hashlib._Hash]]:
    running, done = hashlib.sha256(), 0
    with guarded.opened(path, below=path.parent, limit=limits.LOG) as file:
        for length in sorted(set(lengths)):
            while done < length and (chunk := file.read(min(guarded.CHUNK, length - done))):
                running.update(chunk)
                done += len(chunk)
            if done == length:
                yield length, running.copy()
