"""What a run directory keeps for itself: from `secret/` the noise of its mechanisms could be taken away.

Its files are readable by their owner only, and are left behind when checkpoints are handed on.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fedcli.core import trees
from fedcli.core.errors import RunError
from fedcli.core.types import SECRET, Tree
from fedcli.store.files import durable, npz

FOLDER, DATA_KEY, KEYS = "secret", "data-noise.key", "keys.npz"


def put_data_key(run: Path, key: bytes) -> None:
    """Keep the key of the noise on the clients' data."""
    durable.write(_folder(run) / DATA_KEY, key, mode=0o600)


def read_data_key(run: Path) -> bytes | None:
    """The key of the noise on the clients' data, if the run directory holds one."""
    path = run / FOLDER / DATA_KEY
    return path.read_bytes() if path.is_file() else None


def put_keys(run: Path, keys: Tree) -> None:
    """Keep the keys of a simulated run's encryption."""
    durable.write(_folder(run) / KEYS, npz.to_bytes(trees.to_table(keys)), mode=0o600)


def read_keys(run: Path) -> dict[str, Any] | None:
    """The keys of the run's encryption, if the run directory holds them.

    Raises:
        RunError: if the file is damaged.
    """
    path = run / FOLDER / KEYS
    return trees.from_table(npz.read_arrays(path)) if path.is_file() else None


def public(transforms: Tree) -> dict[str, Tree]:
    """The transforms' states by name, without what must not enter a checkpoint."""
    return {name: {k: v for k, v in state.items() if k != SECRET} for name, state in transforms.items()}


def noise_of(transforms: Tree) -> dict[str, Tree]:
    """The rest of the transforms' states, by name."""
    return {name: state[SECRET] for name, state in transforms.items() if SECRET in state}


def put_noise(run: Path, round: int, noise: Mapping[str, Tree]) -> None:
    """Keep the transforms' secret states after `round`, durably."""
    durable.write(_noise_file(_folder(run), round), npz.to_bytes(trees.to_table(noise)), mode=0o600)


def read_noise(run: Path, round: int, transforms: Tree) -> dict[str, Tree]:
    """The transforms' states after `round`, with the secret parts that `public` left out.

    Raises:
        RunError: if the file is gone, without which the next noise could not be the one that was accounted for.
    """
    path = _noise_file(run / FOLDER, round)
    if not path.is_file():
        raise RunError(
            f"{path} is missing, which holds the noise of earlier rounds: the next round's must cancel some of it.\n"
            "Restore the file; or start a new run from this one's weights, whose epsilon is added to this one's."
        )
    noise = trees.from_table(npz.read_arrays(path))
    return {
        name: {**state, SECRET: noise[name]} if name in noise else state for name, state in transforms.items()
    }


def drop_other_noise(run: Path, round: int) -> None:
    """Remove the secret states of all rounds but one: who finds them later can take away less."""
    for path in (run / FOLDER).glob("noise-*.npz"):
        if path != _noise_file(run / FOLDER, round):
            path.unlink()


def _folder(run: Path) -> Path:
    folder = run / FOLDER
    folder.mkdir(mode=0o700, exist_ok=True)
    return folder


def _noise_file(folder: Path, round: int) -> Path:
    return folder / f"noise-{round:05d}.npz"
