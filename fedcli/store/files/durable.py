"""Files that survive a power cut: written, synced, renamed, and their folder synced."""

from __future__ import annotations

import hashlib
import os
import shutil
from pathlib import Path


def sync(path: Path) -> None:
    """Force a file or a folder to the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def sync_folder(folder: Path) -> None:
    """Force a folder and everything in it to the disk."""
    for path in folder.rglob("*"):
        sync(path)
    sync(folder)


def write(path: Path, content: bytes | str, *, mode: int = 0o666) -> None:
    """Replace `path` by `content` at once: a reader sees the old file or the new one, never a part.

    Args:
        path: the file.
        content: all of it.
        mode: who may read it, before the umask; 0o600 for what nobody else may ever see.
    """
    temporary = path.with_name(f".{path.name}.tmp")
    data = content.encode() if isinstance(content, str) else content
    # Made anew, because a file that is there would keep its own mode.
    temporary.unlink(missing_ok=True)
    with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
        file.write(data)
    sync(temporary)
    temporary.replace(path)
    sync(path.parent)


def publish(folder: Path, target: Path) -> None:
    """Make a finished folder appear under its final name at once; `folder` stands beside `target`."""
    sync_folder(folder)
    folder.rename(target)
    sync(target.parent)


def fresh(folder: Path) -> Path:
    """An empty folder at `folder`; what a killed process left there is removed."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def sha256(path: Path) -> str:
    """Hexadecimal SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def fault(path: Path, expected: str) -> str | None:
    """Why a file is not the one of this SHA-256, as the end of a sentence that begins with it; None if it is."""
    if path.exists() and not path.is_file():
        return "is not a file"
    try:
        found = sha256(path)
    except OSError as error:
        return unreadable(error)
    if found == expected:
        return None
    return f"is not the file that the run wrote: its SHA-256 begins with {found[:16]} and was {expected[:16]}"


def unreadable(error: OSError) -> str:
    """Why a file could not be read, as the end of a sentence that begins with it."""
    return "is missing" if isinstance(error, FileNotFoundError) else f"cannot be read: {error.strerror}"
