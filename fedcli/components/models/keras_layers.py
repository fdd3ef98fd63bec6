"""What the layers of a Keras model are, and what they need while they calculate."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from fedcli.components.models.architecture import LayerWork
from fedcli.core.types import KerasLayer, KerasModel

# Layers for which XLA makes faster CPU programs; it makes convolutions many times slower.
_DENSE_LAYERS = {"InputLayer", "Dense", "Flatten", "Reshape", "Activation", "ReLU", "Rescaling"}
_CONTAINERS = {"Sequential", "Functional"}


def layer_work(model: KerasModel) -> LayerWork:
    """What a model's layers need in memory; a layer whose shape depends on the example counts nothing."""
    returned = [tuple(each.shape[1:]) for layer in leaves(model) for each in _outputs(layer)]
    sizes = [math.prod(shape) for shape in returned if None not in shape]
    return LayerWork(sum(sizes), is_dense(model))


def is_dense(part: KerasLayer) -> bool:
    """Whether a model or a layer consists of plain dense layers only; then XLA compiles it."""
    if type(part).__name__ in _CONTAINERS:
        return all(is_dense(inner) for inner in _inner(part))
    return type(part).__name__ in _DENSE_LAYERS and not may_mix_examples(part)


def may_mix_examples(part: KerasLayer) -> bool:
    """Whether a penalty or the outputs for an example may depend on which others are in its batch, as with BatchNorm.

    A penalty on activations is a mean over the batch. A custom `call` or an operation outside of layers may be one too.
    """
    if type(part).__name__ in _CONTAINERS:
        return any(may_mix_examples(inner) for inner in _inner(part))
    kind = type(part)
    is_custom = not kind.__module__.startswith("keras.src.layers.") or kind.__name__ == "Lambda"
    # What `TimeDistributed`, for one, applies to every step.
    wrapped = getattr(part, "layer", None)
    return (
        is_custom
        or kind.__name__ == "BatchNormalization"
        or part.activity_regularizer is not None
        or (wrapped is not None and may_mix_examples(wrapped))
    )


def _inner(container: KerasModel) -> Sequence[Any]:
    found: Sequence[Any] = getattr(container, "operations", container.layers)
    return found


def leaves(model: KerasModel) -> Sequence[KerasLayer]:
    """The layers of a model without layers inside."""
    # A nested model lists its inner layers as well; only layers without inner layers own variables.
    layers = model._flatten_layers(include_self=False)
    return [layer for layer in layers if not getattr(layer, "layers", None)]


def _outputs(layer: KerasLayer) -> Sequence[Any]:
    # An input is no work, and a layer of a model that is not functional does not know what it returns.
    if type(layer).__name__ == "InputLayer":
        return ()
    try:
        found = layer.output
    except (AttributeError, ValueError):
        return ()
    return found if isinstance(found, list | tuple) else (found,)
