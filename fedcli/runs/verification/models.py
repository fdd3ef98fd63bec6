"""Reads the model of a checkpoint as vectors, without the code of the model."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from fedcli.core import trees
from fedcli.core.rounds import ModelLayout
from fedcli.core.types import Tree, Vector
from fedcli.core.vectors import Layout, gather, unflatten
from fedcli.runs.verification.chain_links import Link
from fedcli.store import checkpoints
from fedcli.store.files import manifests
from fedcli.store.files.guarded import FileRefused


class Model(NamedTuple):
    """The parts of a checkpoint that a replay of its rounds can compute.

    Args:
        name: the checkpoint, as sentences name it.
        layout: which arrays are in which vector.
        vectors: by group of the layout, such as "trainable".
        server: the server optimizer's state.
        average: the moving average's state; empty if the run keeps none.
        averaged: the arrays of average.npz; empty if there is no such file.
    """

    name: str
    layout: ModelLayout
    vectors: Mapping[str, Vector]
    server: Tree
    average: Tree
    averaged: Mapping[str, npt.NDArray[Any]]

    @property
    def weights(self) -> Vector:
        """The trainable weights."""
        return self.vectors["trainable"]


class Unreadable(Exception):
    """A file of a checkpoint whose content a run would not write: its name, and the end of a sentence."""

    def __init__(self, file: str, reason: str) -> None:
        super().__init__(reason)
        self.file, self.reason = file, reason


def read_model(link: Link) -> Model:
    """The model of a checkpoint whose files are as they were written.

    Raises:
        Unreadable: if the content of a file is not that of a checkpoint.
    """
    weights = _arrays(link, checkpoints.WEIGHTS)
    layout = _layout(link, weights)
    if link.manifest is None:
        raise Unreadable(manifests.NAME, "is not as it was written")
    try:
        tree = checkpoints.read_state_tree(link.folder, link.manifest)
    except FileRefused as error:
        raise Unreadable(checkpoints.STATE, error.reason) from None
    server, average = tree["server"], tree.get("average", {})
    if average and average["sum"].shape != (layout.trainable.size,):
        raise Unreadable(checkpoints.STATE, "has an average of another model")
    is_averaged = checkpoints.AVERAGE in link.manifest.files
    averaged = _arrays(link, checkpoints.AVERAGE) if is_averaged else {}
    vectors = {group: gather(weights, part) for group, part in layout._asdict().items()}
    return Model(f"the checkpoint of round {link.round}", layout, vectors, server, average, averaged)


def num_weights(links: Sequence[Link]) -> int | None:
    """Number of trainable weights, by the first of these checkpoints that can be read; None without one."""
    for link in links:
        with contextlib.suppress(Unreadable):
            return read_model(link).weights.size
    return None


def with_weights(model: Model, weights: Vector) -> dict[str, npt.NDArray[Any]]:
    """The arrays of a model by name, with other trainable weights."""
    vectors = {**model.vectors, "trainable": weights}
    arrays = [unflatten(vectors[group], part) for group, part in model.layout._asdict().items()]
    return {name: array for group in arrays for name, array in group.items()}


def is_same(one: Tree, other: Tree) -> bool:
    """Whether two states have the same arrays under the same names, byte for byte."""
    left, right = trees.to_table(one), trees.to_table(other)
    return left.keys() == right.keys() and all(_is_equal(left[name], right[name]) for name in left)


def _is_equal(one: npt.NDArray[Any], other: npt.NDArray[Any]) -> bool:
    # By bytes, because NaN does not equal itself, and -0.0 equals 0.0.
    return (one.dtype, one.shape, one.tobytes()) == (other.dtype, other.shape, other.tobytes())


def _arrays(link: Link, name: str) -> dict[str, npt.NDArray[Any]]:
    if link.manifest is None:
        raise Unreadable(manifests.NAME, "is not as it was written")
    try:
        return checkpoints.read_arrays(link.folder, link.manifest, name)
    except FileRefused as error:
        raise Unreadable(name, error.reason) from None


def _layout(link: Link, weights: Mapping[str, npt.NDArray[Any]]) -> ModelLayout:
    said = link.manifest.facts.get("arrays") if link.manifest is not None else None
    if not isinstance(said, dict) or said.keys() != set(ModelLayout._fields):
        raise Unreadable("manifest.json", "does not say which arrays the model has")
    if not all(isinstance(group, list) for group in said.values()):
        raise Unreadable("manifest.json", "does not say which arrays the model has")
    names = [name for group in said.values() for name in group]
    if not all(isinstance(name, str) for name in names) or sorted(names) != sorted(weights):
        raise Unreadable(checkpoints.WEIGHTS, "does not have the arrays that the manifest names")
    # A run writes nothing else, and other types would be converted before they are compared.
    if any(array.dtype != np.float32 for array in weights.values()):
        raise Unreadable(checkpoints.WEIGHTS, "has arrays that are not of float32")
    return ModelLayout(**{group: _of(said[group], weights) for group in ModelLayout._fields})


def _of(names: list[str], weights: Mapping[str, npt.NDArray[Any]]) -> Layout:
    return Layout(tuple(names), tuple(weights[name].shape for name in names))
