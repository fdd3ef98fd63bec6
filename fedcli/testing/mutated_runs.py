"""Run directories that are damaged at random, as by a bad disk or by somebody who knows the format.

`mutate` changes a run directory in place, and `reseal` writes its manifests anew, so that the digests hold again and
only the content is left to be refused. Whatever becomes of a directory, whoever opens it must get a sentence.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from fedcli.store import directory, proof_files, round_folders
from fedcli.store.files import durable, manifests
from fedcli.testing.mutated_files import FILE_CHANGES, Change, is_plain, required

_ROUNDS = (
    "round-00000",
    "round-00002",
    "round-99999",
    "round-999999999",
    "round-99999999999",
    "round-1",
    "round-x",
)


def mutate(run: Path, outside: Path, rng: np.random.Generator) -> str:
    """Change a run directory once, and say how.

    Args:
        run: the run directory.
        outside: a folder beside it with the file `file`; links lead there, and nothing in it may change.
        rng: decides the change.
    """
    paths = sorted(run.rglob("*"))
    files = [path for path in paths if is_plain(path)]
    if not files:
        return "nothing is left"
    path = files[rng.integers(len(files))]
    # A change that needs content of another kind is replaced by one of bytes.
    name, change = _CHANGES[rng.integers(len(_CHANGES))]
    if change in (_swapped, _folder_changed):
        path = paths[rng.integers(len(paths))]
    with contextlib.suppress(OSError, ValueError, LookupError, TypeError, zipfile.BadZipFile, StopIteration):
        change(path, outside, rng)
    return f"{name} {path.relative_to(run)}"


def reseal(run: Path) -> None:
    """Write every manifest anew that can be read, so that digests and chains hold."""
    heads: dict[int, str] = {}
    previous = None
    for folder in _folders(run / proof_files.FOLDER):
        previous = _sealed(folder, {}, previous)
        heads[round_folders.number(folder.name) or 0] = previous or ""
    previous = None
    for folder in _folders(run / directory.CHECKPOINTS):
        facts: dict[str, Any] = {}
        round = round_folders.number(folder.name) or 0
        if round in heads:
            facts["evidence"] = heads[round]
        if round == 0:
            with contextlib.suppress(OSError, RuntimeError):
                facts["run"] = {name: durable.sha256(run / name) for name in directory.BOUND}
        previous = _sealed(folder, facts, previous)


def _folders(place: Path) -> list[Path]:
    if not place.is_dir() or place.is_symlink():
        return []
    return [path for path in sorted(place.iterdir()) if path.is_dir() and not path.is_symlink()]


def _sealed(folder: Path, more: dict[str, Any], previous: str | None) -> str | None:
    path = folder / manifests.NAME
    with contextlib.suppress(OSError, ValueError, RuntimeError, TypeError, AttributeError):
        # As it is: duplicate keys and strange values are lost, as they are for whoever forges a manifest.
        facts = {**json.loads(required(path).read_bytes()), **more}
        for name in ("sha256", "previous", "self"):
            facts.pop(name, None)
        files = [each.name for each in sorted(folder.iterdir()) if is_plain(each) and each != path]
        path.unlink()
        return manifests.write(folder, files, facts=facts, previous=previous)
    return manifests.digest(folder)


def _removed(path: Path, _outside: Path, _rng: np.random.Generator) -> None:
    path.unlink()


def _swapped(path: Path, _outside: Path, rng: np.random.Generator) -> None:
    others = [other for other in sorted(path.parent.iterdir()) if other != path]
    other = others[rng.integers(len(others))]
    spare = path.with_name("spare")
    path.rename(spare)
    other.rename(path)
    spare.rename(other)


def _added(path: Path, _outside: Path, rng: np.random.Generator) -> None:
    name = ("extra", ".hidden", "a\x1b[31mb", "weights.npz", "manifest.json", "x" * 200)[rng.integers(6)]
    # Not over a link, which would be followed.
    path.with_name(name).unlink(missing_ok=True)
    shutil.copy(path, path.with_name(name))


def _replaced(path: Path, outside: Path, rng: np.random.Generator) -> None:
    """By a folder, a link of some kind, or a pipe."""
    target = path.with_name("moved") if path.is_dir() else outside / "file"
    if path.is_dir():
        target = outside / f"moved-{rng.integers(1 << 30)}"
        shutil.move(path, target)
    else:
        path.unlink()
    links = (target, Path("/dev/zero"), path, Path("nowhere"), outside / "file", Path(".."))
    kind = rng.integers(9)
    if kind < len(links):
        path.symlink_to(links[kind])
    elif kind == len(links):
        os.mkfifo(path)
    elif kind == len(links) + 1:
        path.mkdir()
    else:
        path.write_bytes(b"")


def _folder_changed(path: Path, outside: Path, rng: np.random.Generator) -> None:
    folder = path if path.is_dir() else path.parent
    # A link to a parent would be copied into itself without an end.
    if folder.is_symlink() or (folder / directory.CONFIG).exists():
        return
    # The copy of a sparse file would have all of its bytes.
    if not all(is_plain(each) for each in folder.glob("*.*")):
        return
    kind = rng.integers(4)
    if kind == 0:
        _replaced(folder, outside, rng)
    elif kind == 1:
        shutil.rmtree(folder)
    elif kind == 2:
        folder.rename(folder.with_name(_ROUNDS[rng.integers(len(_ROUNDS))]))
    else:
        shutil.copytree(folder, folder.with_name(_ROUNDS[rng.integers(len(_ROUNDS))]), symlinks=True)


_CHANGES: tuple[tuple[str, Change], ...] = (
    *FILE_CHANGES,
    ("removed", _removed),
    ("swapped", _swapped),
    ("added", _added),
    ("replaced", _replaced),
    ("folder changed", _folder_changed),
)
