"""The weights that a model starts from where a file has them."""

from __future__ import annotations

import numpy as np

from fedcli.components.models.network import Vectors
from fedcli.config import Experiment
from fedcli.core.errors import ConfigError
from fedcli.core.rounds import ModelLayout
from fedcli.core.vectors import gather
from fedcli.experiment.make import placed


def initial_weights(experiment: Experiment, layout: ModelLayout) -> Vectors | None:
    """The vectors of `model.initial_weights`, or None where the model starts from its seed.

    Raises:
        ConfigError: if the file lacks a weight, or has one of another shape.
    """
    if experiment.model.initial_weights is None:
        return None
    from fedcli.store.directory import read_weights

    with placed("model.initial_weights"):
        arrays = read_weights(experiment.model.initial_weights)
        for name, shape in (pair for group in layout for pair in zip(group.names, group.shapes, strict=True)):
            if name not in arrays or np.shape(arrays[name]) != shape:
                found = f"has shape {list(np.shape(arrays[name]))}" if name in arrays else "is missing"
                raise ConfigError(
                    f"the weight {name} {found}; the model needs shape {list(shape)}.",
                    hint="Use weights of the same architecture.",
                )
    return Vectors(*(gather(arrays, group) for group in layout))
