"""A checkpoint: a `RoundState` as a folder of arrays, and a manifest with their SHA-256.

Each manifest has the digest of the one before it (`files/manifests.py`), so the checkpoints form a chain. A checkpoint
holds an index of the states that clients keep, not the states (`client_states.py`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from fedcli.core import trees
from fedcli.core.averages import mean_model
from fedcli.core.errors import RunError
from fedcli.core.rounds import ModelLayout, RoundState
from fedcli.core.types import FIXED, Array, Tree
from fedcli.core.vectors import gather, unflatten
from fedcli.store import client_states, secrets
from fedcli.store.files import guarded, manifests, npz
from fedcli.store.files.disk import LOCAL, Disk
from fedcli.store.files.guarded import FileRefused
from fedcli.store.files.manifests import Manifest

FORMAT = 3
SIGNATURE = "signature.bin"
"""The server's signature of a checkpoint's manifest; the manifest does not list it."""
WEIGHTS, AVERAGE, STATE = "weights.npz", "average.npz", "state.npz"
MODELS = (WEIGHTS, AVERAGE)
_PARTS, _OPTIONAL = ("server", "aggregator", "transforms", "underway", "clients"), ("average", "cohort")
# Of rounds and releases: no run has more.
_LARGEST = 10**9


def write_checkpoint(
    folder: Path,
    state: RoundState,
    layout: ModelLayout,
    *,
    facts: Mapping[str, Any],
    previous: str | None = None,
    disk: Disk = LOCAL,
) -> str:
    """Write `state` into `folder`, and return the digest of its manifest, which lists all files that are there.

    weights.npz holds every array of the model under its Keras name, so that it can be used without fedcli. So does
    average.npz for the averaged model, if the state has one.

    Args:
        folder: where.
        state: what is written.
        layout: how the model's variables are placed in the state's vectors.
        facts: what else the manifest says.
        previous: the digest of the manifest of the checkpoint before.
        disk: where it is written.
    """
    weights = {
        **unflatten(state.weights, layout.trainable),
        **unflatten(state.statistics, layout.statistics),
        **unflatten(state.frozen, layout.frozen),
        **unflatten(state.personal, layout.personal),
    }
    parts = {
        "server": state.server,
        "aggregator": state.aggregator,
        # A checkpoint may be handed on; who has the noise state could take noise away.
        "transforms": secrets.public(state.transforms),
        "underway": state.underway,
    }
    files = {WEIGHTS: weights}
    # Only runs that have them write an average and a cohort's state, so older checkpoints stay readable.
    if state.average:
        parts["average"] = state.average
        files[AVERAGE] = {**weights, **unflatten(mean_model(state.average), layout.trainable)}
    if state.cohort:
        # Of a million clients it would be megabytes in every checkpoint.
        parts["cohort"] = {name: value for name, value in state.cohort.items() if name != FIXED}
    files[STATE] = trees.to_table({**parts, "clients": client_states.to_index(state.clients)})
    for name, arrays in files.items():
        disk.write(folder / name, npz.writer(arrays))
    about = {
        "format": FORMAT,
        "round": state.round,
        "releases": state.releases,
        "seconds": state.seconds,
        # So that `verify` can build the state's vectors without the model.
        "arrays": {group: list(part.names) for group, part in layout._asdict().items()},
    }
    # With what the caller put there: a checkpoint's statement of privacy is bound like its weights.
    run = folder.parent.parent
    listed = [name for name in guarded.names(folder, below=run) if guarded.is_file(folder / name, below=run)]
    return manifests.write(folder, listed, facts={**about, **facts}, previous=previous, disk=disk)


def model_bytes(state: RoundState) -> int:
    """Bytes of the model in a checkpoint: of what clients train, and of what is frozen or stays as it is."""
    return sum(vector.nbytes for vector in (state.weights, state.statistics, state.frozen, state.personal))


def read_checkpoint(folder: Path, layout: ModelLayout, clients: Path) -> RoundState:
    """The state that `write_checkpoint` wrote.

    Args:
        folder: the checkpoint.
        layout: how the model's variables are placed in the state's vectors.
        clients: the folder of the clients' states, which are read when they are used.

    Raises:
        RunError: if a file is missing or damaged, or the model of the run has other weights.
    """
    manifest = read_manifest(folder)
    round, releases, seconds = _numbers(folder, manifest)
    weights = read_arrays(folder, manifest, WEIGHTS)
    if any(array.dtype != np.float32 for array in weights.values()):
        raise RunError(f"{folder / WEIGHTS} has weights of another type than float32.")
    try:
        vectors = [gather(weights, group) for group in layout]
    except KeyError as error:
        raise RunError(f"{folder / WEIGHTS} lacks the weight {error} of the run's model.") from None
    if any(vector.size != group.size for vector, group in zip(vectors, layout, strict=True)):
        raise RunError(f"{folder / WEIGHTS} has weights of other shapes than the run's model.")
    tree = read_state_tree(folder, manifest)
    average = tree.get("average", {})
    if average and average["sum"].shape != vectors[0].shape:
        raise RunError(f"{folder / STATE} has an average of another model than the run's.")
    return RoundState(
        round,
        vectors[0],
        vectors[1],
        vectors[2],
        vectors[3],
        server=tree["server"],
        aggregator=tree["aggregator"],
        transforms=tree["transforms"],
        clients=_clients(folder, tree, clients),
        releases=releases,
        seconds=seconds,
        underway=tree["underway"],
        average=average,
        cohort=tree.get("cohort", {}),
    )


def read_arrays(folder: Path, manifest: Manifest, name: str) -> dict[str, Array]:
    """The arrays of a file of a checkpoint: what is parsed is what the manifest binds.

    Raises:
        FileRefused: if the file is missing, is not the one that the manifest names, or is not an
            .npz that a run writes.
    """
    content = manifests.content(folder, manifest, name)
    try:
        return npz.from_bytes(content)
    except ValueError as error:
        raise FileRefused(folder / name, f"{npz.UNREADABLE}: {error}") from None


def read_state_tree(folder: Path, manifest: Manifest) -> dict[str, dict[str, Any]]:
    """The states of a checkpoint's parts, by part.

    Raises:
        FileRefused: as `read_arrays` does, or if a part is missing or is not a tree.
    """
    try:
        tree = trees.from_table(read_arrays(folder, manifest, STATE))
    except ValueError as error:
        raise FileRefused(folder / STATE, f"is not the state of a run: {error}") from None
    # A state of transforms holds one tree for each; the others are trees themselves.
    odd = [name for name in tree if name not in (*_PARTS, *_OPTIONAL) or not isinstance(tree[name], dict)]
    absent = [name for name in _PARTS if name not in tree]
    if odd or absent:
        raise FileRefused(folder / STATE, f"is not the state of a run: {', '.join([*odd, *absent])[:80]}")
    average = tree.get("average", {})
    if average and not _is_average(average):
        raise FileRefused(folder / STATE, "has an average of the model without its sum and weight")
    return tree


def _is_average(average: Mapping[str, Any]) -> bool:
    known = average.keys() == {"sum", "weight"}
    return known and all(
        isinstance(value, np.ndarray) and value.dtype == np.float64 and value.ndim == axes
        for value, axes in ((average["sum"], 1), (average["weight"], 0))
    )


def _clients(folder: Path, tree: Mapping[str, Any], clients: Path) -> Mapping[int, Tree]:
    try:
        return client_states.from_index(clients, tree["clients"])
    except ValueError as error:
        raise FileRefused(folder / STATE, str(error)) from None


def _numbers(folder: Path, manifest: Manifest) -> tuple[int, int, float]:
    """Round, releases and seconds. Each has one type, so that `10.0` is not another text for `10`."""
    said = tuple(manifest.facts.get(name) for name in ("round", "releases", "seconds"))
    round, releases, seconds = said
    if (
        type(round) is int
        and type(releases) is int
        and type(seconds) is float
        and max(round, releases) <= _LARGEST
        and min(round, releases, seconds) >= 0
    ):
        return round, releases, seconds
    raise RunError(f"{folder / manifests.NAME} does not have the round, releases and seconds of a run.")


def has_arrays(folder: Path) -> bool:
    """Whether a checkpoint can be read: a pruned one lacks its weights, its state, or both."""
    return all(guarded.exists(folder / name, below=folder.parent.parent) for name in (WEIGHTS, STATE))


def prune(folder: Path, names: Sequence[str] = (*MODELS, STATE), *, disk: Disk = LOCAL) -> None:
    """Remove the arrays of a checkpoint that still has any; its manifest stays, as a link of the chain.

    Args:
        folder: the checkpoint.
        names: its files of arrays to remove. Without its weights it counts as pruned.
        disk: where they are removed.
    """
    # The weights first: a process that is killed after that leaves a checkpoint that counts as pruned.
    for name in names:
        if guarded.exists(folder / name, below=folder.parent.parent):
            disk.remove(folder / name)


def read_places(folder: Path, clients: Path) -> npt.NDArray[np.int64] | None:
    """The places of the clients' states that a checkpoint refers to (`client_states.places_of`), pruned or not.

    None if its state is missing or is not the one that was written.
    """
    if not guarded.exists(folder / STATE, below=folder.parent.parent):
        return None
    try:
        tree = read_state_tree(folder, manifests.read(folder))
        return client_states.places_of(client_states.from_index(clients, tree["clients"]))
    except (RunError, ValueError):
        return None


def read_manifest(folder: Path) -> Manifest:
    """The manifest of a checkpoint, after checking every file against it.

    Raises:
        RunError: if a file is missing, is not the one that was written, or has another format.
    """
    # First, since the manifest of another version may fail the checks below for a reason that misleads.
    require_format(folder)
    manifest = manifests.read(folder)
    for file, reason in manifests.damaged(folder, manifest):
        raise RunError(
            f"{folder / file} {reason}.\n"
            f"Restore the folder, or delete {folder} to resume from the checkpoint before it."
        )
    return manifest


def require_format(folder: Path) -> None:
    """Refuse a checkpoint that another version of fedcli wrote.

    Raises:
        RunError: if its manifest names another format.
    """
    format = manifests.fact(folder, "format")
    # None is a manifest that cannot be read: `manifests.read` says why.
    if format not in (None, FORMAT):
        raise RunError(
            f"the checkpoint {folder} has format {format}; this version of fedcli reads format {FORMAT}.\n"
            "Resume it with the version that environment.json names, or start a new run from its weights.npz."
        )
