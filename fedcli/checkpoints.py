"""A `RoundState` as a folder: weights by name, states by path, and a manifest with their SHA-256."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from zipfile import BadZipFile, ZipFile

import numpy as np
import numpy.typing as npt

from fedcli.core import durable, trees
from fedcli.core.errors import RunError
from fedcli.core.types import ModelLayout, RoundState, Tree
from fedcli.core.vectors import gather, unflatten

FORMAT = 1
WEIGHTS, STATE, MANIFEST = "weights.npz", "state.npz", "manifest.json"

Arrays = Mapping[str, npt.NDArray[Any]]


def write_checkpoint(folder: Path, state: RoundState, layout: ModelLayout, extra: Mapping[str, Any]) -> None:
    """Write `state` into the empty `folder`; `extra` goes into the manifest.

    weights.npz holds every array of the model under its Keras name, so that it can be used without fedcli.
    """
    weights = {
        **unflatten(state.weights, layout.trainable),
        **unflatten(state.statistics, layout.statistics),
        **unflatten(state.frozen, layout.frozen),
        **unflatten(state.personal, layout.personal),
    }
    clients = {str(client): tree for client, tree in sorted(state.clients.items())}
    parts = {
        "server": state.server,
        "aggregator": state.aggregator,
        "transforms": state.transforms,
        "underway": state.underway,
    }
    _save(folder / WEIGHTS, weights)
    _save(folder / STATE, trees.to_table({**parts, "clients": clients}))
    manifest = {
        "format": FORMAT,
        "round": state.round,
        "releases": state.releases,
        "seconds": state.seconds,
        **extra,
        "sha256": {name: durable.sha256(folder / name) for name in (WEIGHTS, STATE)},
    }
    (folder / MANIFEST).write_text(json.dumps(manifest, indent=1) + "\n")


def read_checkpoint(folder: Path, layout: ModelLayout) -> RoundState:
    """The state that `write_checkpoint` wrote.

    Raises:
        RunError: if a file is missing or damaged, or the model of the run has other weights.
    """
    manifest = read_manifest(folder)
    weights = read_arrays(folder / WEIGHTS)
    tree = trees.from_table(read_arrays(folder / STATE))
    try:
        vectors = [gather(weights, group) for group in layout]
    except KeyError as error:
        raise RunError(f"{folder / WEIGHTS} lacks the weight {error}, which the run's model has.") from None
    return RoundState(
        manifest["round"],
        vectors[0],
        vectors[1],
        vectors[2],
        vectors[3],
        server=tree["server"],
        aggregator=tree["aggregator"],
        transforms=tree["transforms"],
        clients={int(client): state for client, state in tree["clients"].items()},
        releases=manifest["releases"],
        seconds=manifest["seconds"],
        underway=tree["underway"],
    )


def read_manifest(folder: Path) -> dict[str, Any]:
    """The manifest, after checking every file against it.

    Raises:
        RunError: if a file is missing, or is not the one that was written.
    """
    try:
        manifest: dict[str, Any] = json.loads((folder / MANIFEST).read_text())
        sums = {name: durable.sha256(folder / name) for name in manifest["sha256"]}
        expected: dict[str, str] = manifest["sha256"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RunError(f"the checkpoint {folder} is incomplete or damaged: {error}.") from None
    for name, digest in sums.items():
        if digest != expected[name]:
            raise RunError(
                f"{folder / name} is not the file that the run wrote: its SHA-256 is {digest[:16]}..., "
                f"the manifest says {expected[name][:16]}...\n"
                f"Restore the file, or delete the folder {folder} to go on from the checkpoint before it."
            )
    return manifest


def read_arrays(path: Path) -> dict[str, npt.NDArray[Any]]:
    """The arrays of an `.npz`, which is never unpickled.

    Raises:
        RunError: if it is missing or not an `.npz` of plain arrays.
    """
    try:
        # NumPy leaves a file open that it opened itself and could not read.
        with path.open("rb") as file:
            archive = np.load(file, allow_pickle=False)
            if isinstance(archive, np.ndarray):
                raise ValueError("it is a single array, an .npy")
            return dict(archive)
    except (OSError, ValueError, EOFError, BadZipFile) as error:
        raise RunError(f"{path} cannot be read as an .npz of plain arrays: {error}.") from None


def _save(path: Path, arrays: Tree) -> None:
    # As np.savez, which has no place for an array named "file" and would pickle objects.
    with ZipFile(path, "w") as archive:
        for name, array in arrays.items():
            if array.dtype.hasobject:
                raise RunError(f"{name} holds Python objects; a checkpoint keeps plain arrays only.")
            with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                np.lib.format.write_array(member, array, allow_pickle=False)
