"""Secret files of a run, in `secret/`. With them, a reader could remove noise or decrypt updates.

Only their owner can read them, and they are not part of a checkpoint, which may be shared.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fedcli.core import trees
from fedcli.core.errors import RunError
from fedcli.core.types import SECRET, Tree
from fedcli.store.files import durable, guarded, limits, npz
from fedcli.store.files.disk import LOCAL, Content, Disk
from fedcli.store.files.guarded import FileRefused

FOLDER, DATA_KEY, KEYS, IDENTITIES = "secret", "data-noise.key", "keys.npz", "identities.key"
_IS_NOISE = re.compile(r"noise-.*\.npz")
NO_NOISE = (
    "Restore the file, or start a new run from the weights of this run; the epsilon of the new run is added to the "
    "epsilon of this one."
)


def put_data_key(run: Path, key: bytes, *, disk: Disk = LOCAL) -> None:
    """Write the key of the noise on the clients' data."""
    _put(run, DATA_KEY, key, disk)


def read_data_key(run: Path) -> bytes | None:
    """The key of the noise on the clients' data; None if the run has none.

    Raises:
        FileRefused: if it is a link, or larger than a key.
    """
    return _read(run, DATA_KEY)


def put_identities(run: Path, secret: bytes, *, disk: Disk = LOCAL) -> None:
    """Write the secret from which the signing keys of the run's parties are derived."""
    _put(run, IDENTITIES, secret, disk)


def read_identities(run: Path) -> bytes | None:
    """The secret of the run's signing keys; None if it has none.

    Raises:
        FileRefused: if it is a link, or larger than a key.
    """
    return _read(run, IDENTITIES)


def put_keys(run: Path, keys: Tree, *, disk: Disk = LOCAL) -> None:
    """Write the encryption keys of a simulated run."""
    _put(run, KEYS, npz.to_bytes(trees.to_table(keys)), disk)


def read_keys(run: Path) -> dict[str, Any] | None:
    """The encryption keys of the run; None if it keeps none.

    Raises:
        RunError: if the file is damaged.
    """
    path = run / FOLDER / KEYS
    if not guarded.exists(path, below=run):
        return None
    try:
        return npz.read_tree(path, below=run)
    except FileRefused as error:
        raise RunError(
            f"{error}\nRestore the file, or remove it: the run then makes new keys, and its models stay the same."
        ) from None


def public(transforms: Tree) -> dict[str, Tree]:
    """The transforms' states by name, without the secret parts, which must not enter a checkpoint."""
    return {name: {k: v for k, v in state.items() if k != SECRET} for name, state in transforms.items()}


def noise_of(transforms: Tree) -> dict[str, Tree]:
    """The secret parts of the transforms' states, by name."""
    return {name: state[SECRET] for name, state in transforms.items() if SECRET in state}


def put_noise(run: Path, round: int, noise: Mapping[str, Tree], *, disk: Disk = LOCAL) -> None:
    """Write the secret parts of the transforms' states after `round`, durably."""
    # Written from where it is: for a large model, the noise of some rounds is many copies of it.
    _put(run, _noise_name(round), npz.writer(trees.to_table(noise)), disk)


def read_noise(run: Path, round: int, transforms: Tree) -> dict[str, Tree]:
    """The transforms' states after `round`, with the secret parts that `public` left out.

    Raises:
        RunError: if the file is missing. Without it, the next noise would not be the noise that was accounted for.
    """
    path = run / FOLDER / _noise_name(round)
    if not guarded.exists(path, below=run):
        raise RunError(
            f"{path} is missing. It holds the noise of earlier rounds, on which the noise of the next round depends.\n"
            f"{NO_NOISE}"
        )
    try:
        noise = npz.read_tree(path, below=run)
    except FileRefused as error:
        raise RunError(f"{error}\n{NO_NOISE}") from None
    return {
        name: {**state, SECRET: noise[name]} if name in noise else state for name, state in transforms.items()
    }


def has_noise(run: Path) -> bool:
    """Whether the secret part of any round's state is there."""
    place = run / FOLDER
    there = guarded.names(place, below=run) if guarded.is_folder(place, below=run) else []
    return any(_IS_NOISE.fullmatch(name) for name in there)


def drop_other_noise(run: Path, round: int, *, disk: Disk = LOCAL) -> None:
    """Remove the secret parts of all rounds but one, so that whoever finds them later can remove less noise."""
    place = run / FOLDER
    if not guarded.is_folder(place, below=run):
        return
    # Drafts too: a process that was killed in the middle of one may have written all of the noise into it.
    others = [
        name
        for name in guarded.names(place, below=run)
        if durable.is_draft(name) or (_IS_NOISE.fullmatch(name) and name != _noise_name(round))
    ]
    for name in others:
        disk.remove(place / name)
    if others:
        # Otherwise it would be back after a power cut.
        disk.sync(place)


def _read(run: Path, name: str) -> bytes | None:
    path = run / FOLDER / name
    if not guarded.exists(path, below=run):
        return None
    return guarded.read_bytes(path, below=run, limit=limits.SECRET)


def _put(run: Path, name: str, content: Content, disk: Disk) -> None:
    # The rights are set when it is made: to set them later would leave a moment in which others can read.
    folder = durable.make_folder(run / FOLDER, mode=0o700, disk=disk)
    durable.write(folder / name, content, mode=0o600, disk=disk)


def _noise_name(round: int) -> str:
    return f"noise-{round:05d}.npz"
