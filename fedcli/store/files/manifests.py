"""The manifest of a folder: facts, the SHA-256 of its files, and the SHA-256 of the manifest before it.

So manifests form a chain. A manifest is canonical JSON. It also has a digest of its own content, because no later
manifest has a digest of the last one. Rewriting the whole chain changes its head, so publish the head.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from fedcli.store.files import canonical_json, guarded, limits
from fedcli.store.files.disk import LOCAL, Disk
from fedcli.store.files.guarded import FileRefused

NAME = "manifest.json"
_FILES, _PREVIOUS, _SELF = "sha256", "previous", "self"


class Manifest(NamedTuple):
    """What a manifest says.

    Args:
        facts: everything besides the digests.
        files: hexadecimal SHA-256 of every other file of the folder, by name.
        previous: the digest of the manifest before it; None in the first.
        digest: SHA-256 of the manifest's own bytes, by which the next one names it.
    """

    facts: dict[str, Any]
    files: dict[str, str]
    previous: str | None
    digest: str


class FileFault(NamedTuple):
    """A file of a folder, and what is wrong with it, as the end of a sentence that begins with the file."""

    file: str
    reason: str


def write(
    folder: Path,
    files: Iterable[str],
    *,
    facts: Mapping[str, Any],
    previous: str | None = None,
    disk: Disk = LOCAL,
) -> str:
    """Write the manifest of a folder.

    Args:
        folder: where the files are.
        files: the names of all of them.
        facts: what else the manifest says; plain JSON values.
        previous: the digest of the manifest before it.
        disk: where it is written.

    Returns:
        The digest of the manifest.
    """
    sums = {name: _sha256(folder, name) for name in files}
    content = {**facts, _FILES: sums, _PREVIOUS: previous}
    sealed = _canonical({**content, _SELF: _digest(_canonical(content))})
    disk.write(folder / NAME, sealed)
    return _digest(sealed)


def read(folder: Path) -> Manifest:
    """The manifest of a folder. Its files are not checked.

    Raises:
        FileRefused: if the manifest cannot be read, or is not as it was written.
    """
    try:
        return parse(_read(folder, NAME, limits.JSON))
    except ValueError as error:
        raise FileRefused(folder / NAME, str(error)) from None


def parse(content: bytes) -> Manifest:
    """The manifest whose bytes are `content`.

    Raises:
        ValueError: if any byte is not as it was written.
    """
    facts = canonical_json.parse_object(content)
    files, previous, own = (facts.pop(name, None) for name in (_FILES, _PREVIOUS, _SELF))
    sound = isinstance(files, dict) and all(_is_name(name) and _is_digest(sum) for name, sum in files.items())
    if not sound or not (previous is None or _is_digest(previous)):
        raise ValueError("is not a manifest")
    body = {**facts, _FILES: files, _PREVIOUS: previous}
    # Byte for byte: equal values in another form would have another digest than the next manifest names.
    if own != _digest(_canonical(body)) or content != _canonical({**body, _SELF: own}):
        raise ValueError("is not as it was written: it differs from its own digest")
    return Manifest(facts, files, previous, _digest(content))


def fact(folder: Path, name: str) -> Any:
    """One fact of a manifest, which may have another format; None if there is none. Nothing is checked."""
    try:
        return canonical_json.parse_object(_read(folder, NAME, limits.JSON)).get(name)
    except (FileRefused, ValueError):
        return None


def digest(folder: Path) -> str | None:
    """The SHA-256 of a folder's manifest as it is now; None if there is no manifest."""
    try:
        return _sha256(folder, NAME)
    except FileRefused:
        return None


def damaged(folder: Path, manifest: Manifest) -> list[FileFault]:
    """The files of a manifest that are missing or changed."""
    return [
        FileFault(name, why)
        for name, sum in manifest.files.items()
        if (why := guarded.fault(folder / name, sum, below=_run_of(folder), limit=limits.BINARY))
    ]


def content(folder: Path, manifest: Manifest, name: str) -> bytes:
    """A file of a manifest. What is returned, and then parsed, is what was hashed.

    Raises:
        FileRefused: if it is missing, is not in the manifest, or is not the file that the manifest names.
    """
    if name not in manifest.files:
        raise FileRefused(folder / name, "is not in the manifest")
    found = _read(folder, name, limits.BINARY)
    guarded.require_digest(folder / name, found, manifest.files[name])
    return found


def strangers(folder: Path, manifest: Manifest, *, besides: Collection[str] = ()) -> list[FileFault]:
    """What is in the folder of a manifest and not listed by it, `besides` files that may be there."""
    there = set(guarded.names(folder, below=_run_of(folder)))
    return [
        FileFault(name, "is not in the manifest")
        for name in sorted(there - {NAME, *besides, *manifest.files})
    ]


def _read(folder: Path, name: str, limit: int) -> bytes:
    return guarded.read_bytes(folder / name, below=_run_of(folder), limit=limit)


def _sha256(folder: Path, name: str) -> str:
    return guarded.sha256(folder / name, below=_run_of(folder), limit=limits.BINARY)


def _run_of(folder: Path) -> Path:
    """The run directory: every folder with a manifest is a round's, such as RUN/checkpoints/round-00001."""
    return folder.parent.parent


def _canonical(content: Mapping[str, Any]) -> bytes:
    return canonical_json.written(content, indent=1, sort_keys=True)


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _is_name(name: str) -> bool:
    # A manifest that was forged must not name files outside its folder, or itself.
    return name == Path(name).name and name not in ("", "..", NAME) and "\0" not in name


def _is_digest(value: Any) -> bool:
    return isinstance(value, str) and len(value) == 64 and set(value) <= set("0123456789abcdef")
