"""A run's fitted preprocessing as Keras layers before its model, so that the model takes raw rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from fedcli.components.data.preprocessing.min_max import one_for_zero
from fedcli.components.data.preprocessing.standardise import moments_of
from fedcli.components.models.input_layers import flattened, moved, with_first_layers
from fedcli.core.errors import ConfigError
from fedcli.core.types import KerasLayer, KerasModel
from fedcli.runs.model_interface import FittedStep, ModelInterface, RawRows


def with_preprocessing_layers(model: KerasModel, interface: ModelInterface) -> KerasModel:
    """The model with the steps of its run as first layers. Layers calculate in float32, and steps in float64.

    Args:
        model: of a run.
        interface: of its run.

    Raises:
        ConfigError: if a step has no such layer.
    """
    rows = interface.rows
    if interface.preprocessing is None or rows is None:
        raise ConfigError(
            "the run's own federation preprocesses by itself, so that its steps cannot be written into the model.",
            hint="Leave out --with-preprocessing.",
        )
    layers: list[KerasLayer] = []
    for step in interface.preprocessing:
        make = _LAYERS.get(step.name)
        if make is None or step.statistics is None:
            raise ConfigError(
                f"the step {step.name} has no Keras layer that does the same.",
                hint="Leave out --with-preprocessing; `fedcli predict` applies it.",
            )
        layers += make(step, rows)
    return with_first_layers(model, rows.shape, layers)


def _standardise(step: FittedStep, _rows: RawRows) -> list[KerasLayer]:
    statistics = {name: array.array() for name, array in (step.statistics or {}).items()}
    return moved(*moments_of(statistics))


def _min_max(step: FittedStep, _rows: RawRows) -> list[KerasLayer]:
    statistics = {name: array.array() for name, array in (step.statistics or {}).items()}
    low = statistics["minimum"]
    return moved(low, one_for_zero(statistics["maximum"] - low))


def _automatic(step: FittedStep, rows: RawRows) -> list[KerasLayer]:
    if rows.dtype == "uint8":
        return moved(np.array(0.0), np.array(255.0))
    return _standardise(step, rows) if rows.dtype.startswith("float") else []


def _affine(step: FittedStep, rows: RawRows) -> list[KerasLayer]:
    centre, divisor = (np.asarray(step.parameters[key], np.float64) for key in ("centre", "divisor"))
    if max(centre.ndim, divisor.ndim) and len(rows.shape) > 1:
        raise ConfigError(
            "the step affine has a constant for each feature of examples that are no rows of features.",
            hint="Leave out --with-preprocessing; `fedcli predict` applies it.",
        )
    return moved(centre, divisor)


def _scale(step: FittedStep, _rows: RawRows) -> list[KerasLayer]:
    return moved(np.array(0.0), np.array(1 / float(step.parameters["factor"])))


def _flatten(_step: FittedStep, _rows: RawRows) -> list[KerasLayer]:
    return [flattened()]


def _nothing(_step: FittedStep, _rows: RawRows) -> list[KerasLayer]:
    # It changes labels only.
    return []


_LAYERS: Mapping[str, Callable[[FittedStep, RawRows], list[KerasLayer]]] = {
    "standardise": _standardise,
    "min_max": _min_max,
    "automatic": _automatic,
    "affine": _affine,
    "scale": _scale,
    "flatten": _flatten,
    "one_hot": _nothing,
}
