"""A `RoundState` as a folder: weights by name, states by path, and a manifest with their SHA-256.

Clients' own states stand on the shelf beside the checkpoints; here is their index.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fedcli import secret, shelf
from fedcli.core import durable, npz, trees
from fedcli.core.averages import mean_model
from fedcli.core.errors import RunError
from fedcli.core.types import ModelLayout, RoundState
from fedcli.core.vectors import gather, unflatten

FORMAT = 2
WEIGHTS, AVERAGE, STATE, MANIFEST = "weights.npz", "average.npz", "state.npz", "manifest.json"


def write_checkpoint(folder: Path, state: RoundState, layout: ModelLayout, extra: Mapping[str, Any]) -> None:
    """Write `state` into the empty `folder`; `extra` goes into the manifest.

    weights.npz holds every array of the model under its Keras name, so that it can be used without fedcli; so
    does average.npz of the averaged model, where the state has one.
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
        "transforms": secret.public(state.transforms),
        "underway": state.underway,
    }
    files = {WEIGHTS: weights}
    if state.average:
        parts["average"] = state.average
        files[AVERAGE] = {**weights, **unflatten(mean_model(state.average), layout.trainable)}
    files[STATE] = trees.to_table({**parts, "clients": shelf.to_index(state.clients)})
    for name, arrays in files.items():
        npz.write_arrays(folder / name, arrays)
    manifest = {
        "format": FORMAT,
        "round": state.round,
        "releases": state.releases,
        "seconds": state.seconds,
        **extra,
        "sha256": {name: durable.sha256(folder / name) for name in files},
    }
    (folder / MANIFEST).write_text(json.dumps(manifest, indent=1) + "\n")


def read_checkpoint(folder: Path, layout: ModelLayout, clients: Path) -> RoundState:
    """The state that `write_checkpoint` wrote.

    Args:
        folder: the checkpoint.
        layout: how the model's variables stand in the state's vectors.
        clients: the shelf of the clients' own states, which are read when they are used.

    Raises:
        RunError: if a file is missing or damaged, or the model of the run has other weights.
    """
    manifest = read_manifest(folder)
    weights = npz.read_arrays(folder / WEIGHTS)
    tree = trees.from_table(npz.read_arrays(folder / STATE))
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
        clients=shelf.from_index(clients, tree["clients"]),
        releases=manifest["releases"],
        seconds=manifest["seconds"],
        underway=tree["underway"],
        average=tree.get("average", {}),
    )


def read_manifest(folder: Path) -> dict[str, Any]:
    """The manifest, after checking every file against it.

    Raises:
        RunError: if a file is missing, is not the one that was written, or is of another format.
    """
    try:
        manifest: dict[str, Any] = json.loads((folder / MANIFEST).read_text())
        format: int = manifest["format"]
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
    if format != FORMAT:
        raise RunError(
            f"the checkpoint {folder} has format {format}; this version of fedcli reads format {FORMAT}.\n"
            "Resume it with the version that environment.json names, or start a new run from its weights.npz."
        )
    return manifest
