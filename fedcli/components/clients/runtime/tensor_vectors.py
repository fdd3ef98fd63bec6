"""Vectors of a model, as the tensors of its weights and back."""

from __future__ import annotations

import math

from fedcli.components.clients.trainer import Tensor, Tensors
from fedcli.core.vectors import Layout


def joined_if_listed(value: Tensor | Tensors) -> Tensor:
    """One vector, from itself or from the tensors of all weights."""
    return join_tensors(value) if isinstance(value, list | tuple) else value


def listed_tensors(value: Tensor | Tensors) -> list[Tensor]:
    """A list of tensors, from itself or from one tensor."""
    return list(value) if isinstance(value, list | tuple) else [value]


def split_vector(vector: Tensor, layout: Layout) -> list[Tensor]:
    """The tensors of a flat vector, in the layout's order."""
    import tensorflow as tf

    if not layout.names:
        return []
    pieces = tf.split(vector, [math.prod(shape) for shape in layout.shapes])
    return [tf.reshape(piece, shape) for piece, shape in zip(pieces, layout.shapes, strict=True)]


def join_tensors(tensors: Tensors) -> Tensor:
    """The flat vector of the tensors, in their order."""
    import tensorflow as tf

    # tf.concat takes at least one tensor.
    return tf.concat([tf.reshape(tensor, [-1]) for tensor in tensors] or [tf.zeros([0])], 0)
