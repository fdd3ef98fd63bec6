"""Files that survive a power cut: written, synced, renamed, and their folder synced."""

from __future__ import annotations

from pathlib import Path

from fedcli.store.files import guarded, limits
from fedcli.store.files.disk import LOCAL, Content, Disk


def draft_of(path: Path) -> Path:
    """Where a file or folder is prepared before it is renamed to `path`."""
    return path.with_name(f".{path.name}.tmp")


def is_draft(name: str) -> bool:
    """Whether `draft_of` gives such a name."""
    return name.startswith(".") and name.endswith(".tmp")


def sync_folder(folder: Path, *, disk: Disk = LOCAL) -> None:
    """Force a folder and everything in it to the disk."""
    for path in sorted(folder.rglob("*")):
        disk.sync(path)
    disk.sync(folder)


def write(path: Path, content: Content | str, *, mode: int = 0o666, disk: Disk = LOCAL) -> None:
    """Replace `path` by `content` at once: a reader sees the old file or the new one, never a part.

    Args:
        path: the file.
        content: all of it.
        mode: who may read it, before the umask; 0o600 for secrets.
        disk: where it is written.
    """
    draft = draft_of(path)
    if draft.exists():
        # A process that was killed left it.
        disk.remove(draft)
    disk.write(draft, content.encode() if isinstance(content, str) else content, mode=mode)
    # Otherwise a power cut could leave the new name with a file that is empty.
    disk.sync(draft)
    disk.rename(draft, path)
    disk.sync(path.parent)


def publish(folder: Path, target: Path, *, disk: Disk = LOCAL) -> None:
    """Make a finished folder appear under its final name at once; `folder` and `target` have the same parent."""
    sync_folder(folder, disk=disk)
    disk.rename(folder, target)
    disk.sync(target.parent)


def make_folder(folder: Path, *, mode: int = 0o777, disk: Disk = LOCAL) -> Path:
    """Make a folder and its parents, durably, if they do not exist; `mode` is that of the last one."""
    if not folder.is_dir():
        make_folder(folder.parent, disk=disk)
        disk.make_folder(folder, mode=mode)
        # Otherwise the folder could be lost in a power cut, with everything in it.
        disk.sync(folder.parent)
    return folder


def fresh(folder: Path, *, disk: Disk = LOCAL) -> Path:
    """An empty folder at `folder`; what a killed process left there is removed."""
    remove_all(folder, disk=disk)
    make_folder(folder.parent, disk=disk)
    disk.make_folder(folder)
    return folder


def remove_all(path: Path, *, disk: Disk = LOCAL) -> None:
    """Remove a file, or a folder with everything in it, if it exists. A killed process may leave a part of it."""
    # A link is removed itself, and not what is in the folder that it leads to.
    if path.is_symlink():
        disk.remove(path)
        return
    empty(path, disk=disk)
    if path.exists():
        disk.remove(path)


def empty(folder: Path, *, disk: Disk = LOCAL) -> None:
    """Remove everything in a folder."""
    # In reverse order, so that the content of a folder is removed before the folder.
    for inner in sorted(folder.rglob("*"), reverse=True):
        disk.remove(inner)


def discard(folder: Path, *, disk: Disk = LOCAL) -> None:
    """Remove a published folder. Its name disappears at once: a killed process leaves a draft, not a damaged folder."""
    draft = draft_of(folder)
    remove_all(draft, disk=disk)
    # Now the draft of an earlier removal is gone, which a rename could not replace.
    disk.rename(folder, draft)
    remove_all(draft, disk=disk)


def sha256(path: Path) -> str:
    """Hexadecimal SHA-256 of a file that this process wrote into a folder."""
    return guarded.sha256(path, below=path.parent, limit=limits.BINARY)
