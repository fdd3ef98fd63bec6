"""model.json: what the inputs and the outputs of a run's model mean.

A model takes preprocessed numbers and returns numbers. Whoever has raw rows needs the order of the columns, the fitted
preprocessing and the names of the classes; without them a prediction is wrong and nothing says so.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from fedcli import config
from fedcli.components.data import PartitionedFederation
from fedcli.components.data.preprocessing.preprocessor import Statistics
from fedcli.core.errors import RunError
from fedcli.core.metrics import jsonable
from fedcli.core.types import Array
from fedcli.engine.setup import Setup
from fedcli.runs.agreement import require_bound
from fedcli.store import directory
from fedcli.store.files import canonical_json, guarded, limits
from fedcli.store.files.guarded import FileRefused

_FITTED_BY = (
    "These statistics are pooled over the training parts of all clients; the test set and new rows are preprocessed "
    "with them. A client fits the same steps to its own training part."
)
# A file of JSON has at most a million values.
_MOST_VALUES = 500_000


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


Stored = Literal["float64", "float32", "int64", "int32", "uint8", "bool"]
"""The types of arrays that model.json holds."""


class StoredArray(_Strict):
    """An array as JSON: its type, its shape, and its values in the order of rows."""

    dtype: Stored
    shape: tuple[int, ...]
    values: tuple[int | float | bool, ...]

    @model_validator(mode="after")
    def _as_many_as_the_shape_says(self) -> StoredArray:
        if min(self.shape, default=0) < 0 or math.prod(self.shape) != len(self.values):
            raise ValueError("the shape does not fit the number of values")
        return self

    def array(self) -> Array:
        """The array."""
        return np.array(self.values, self.dtype).reshape(self.shape)


class FittedStep(_Strict):
    """A step of preprocessing with its statistics.

    Args:
        name: as the config names it.
        parameters: as in the config.
        statistics: by name, empty for a step that learns nothing; None for those of a custom step that this file
            cannot hold.
    """

    name: str
    parameters: dict[str, Any]
    statistics: dict[str, StoredArray] | None


class FeatureColumn(_Strict):
    """A column of a table: a number, or one feature of 0 or 1 for each category."""

    name: str
    categories: tuple[str, ...] | None


class RawRows(_Strict):
    """An example before preprocessing."""

    dtype: str
    shape: tuple[int, ...]


class ModelInterface(_Strict):
    """The content of model.json.

    Args:
        format: of the file.
        task: what the model was trained for.
        input_shape: shape of one example after preprocessing.
        outputs: number of outputs of the model for one example.
        gives: what the outputs are; a single logit or probability is that of the second of two classes.
        classes: their names, in the order of the outputs; None for a regression, or where they have only numbers.
        target: the column of the table that is predicted; None without a table.
        columns: of the table, those that are features, in their order; None without a table.
        rows: an example before preprocessing; None of custom federations.
        preprocessing: the steps in their order; None of custom federations, which preprocess by themselves.
        fitted_by: whose examples the statistics are of.
    """

    format: Literal[1]
    task: Literal["classification", "regression"]
    input_shape: tuple[int, ...]
    outputs: int = Field(ge=1)
    gives: Literal["logits", "probabilities", "values"]
    classes: tuple[str, ...] | None
    target: str | None
    columns: tuple[FeatureColumn, ...] | None
    rows: RawRows | None
    preprocessing: tuple[FittedStep, ...] | None
    fitted_by: str

    @property
    def num_classes(self) -> int:
        """Classes of a classification: two for a single output."""
        return max(2, self.outputs)

    @property
    def class_names(self) -> tuple[str, ...]:
        """The names of the classes, or their numbers where they have no names."""
        return self.classes or tuple(str(number) for number in range(self.num_classes))


def interface_of(setup: Setup, *, gives_probabilities: bool) -> ModelInterface:
    """The interface of a planned run.

    Args:
        setup: the plan.
        gives_probabilities: whether the model's last layer turns logits into probabilities.
    """
    federation, steps = setup.world.federation, setup.experiment.data.preprocessing
    source = federation.source if isinstance(federation, PartitionedFederation) else None
    columns = source.columns if source else None
    example = source.example[0] if source else None
    values: Literal["logits", "probabilities"] = "probabilities" if gives_probabilities else "logits"
    return ModelInterface(
        format=1,
        task=federation.task,
        input_shape=tuple(int(size) for size in federation.input_shape),
        outputs=setup.model_outputs,
        gives="values" if federation.task == "regression" else values,
        classes=source.class_names if source else None,
        target=source.target if source else None,
        columns=None
        if columns is None
        else tuple(FeatureColumn(name=each.name, categories=each.categories) for each in columns),
        rows=None if example is None else RawRows(dtype=str(example.dtype), shape=example.shape[1:]),
        preprocessing=None
        if not isinstance(federation, PartitionedFederation)
        else tuple(
            FittedStep(
                name=part.name,
                parameters=jsonable(config.flat(part.parameters)),
                statistics=stored_statistics(fitted),
            )
            for part, fitted in zip(steps, federation.fitted, strict=True)
        ),
        fitted_by=_FITTED_BY,
    )


def encode(interface: ModelInterface) -> bytes:
    """The content of model.json."""
    return canonical_json.written(interface.model_dump(mode="json"), indent=1)


def decode(content: bytes) -> ModelInterface:
    """The interface in the content of a model.json, which may come from anyone.

    Raises:
        ValueError: if it is not one; the message continues a sentence that begins with the file.
    """
    # Bounded before pydantic makes objects of it.
    canonical_json.parse_written(content, indent=1)
    try:
        return ModelInterface.model_validate_json(content)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(map(str, first["loc"]))
        raise ValueError(f"is not what a run writes: {place}: {first['msg']}"[:200]) from None


def read_interface(folder: Path) -> ModelInterface | None:
    """The interface of a run's model; None of a run of an earlier version, which has no such file.

    Raises:
        RunError: if the file is not the one that the run wrote.
    """
    require_bound(folder, directory.MODEL)
    path = folder / directory.MODEL
    if not guarded.exists(path, below=folder):
        return None
    try:
        return decode(guarded.read_bytes(path, below=folder, limit=limits.JSON))
    except ValueError as error:
        raise RunError(str(FileRefused(path, str(error)))) from None


def stored_statistics(statistics: Statistics) -> dict[str, StoredArray] | None:
    """Statistics as model.json holds them; None where it cannot: too many, not finite, or of another type."""
    arrays = {name: np.asarray(value) for name, value in statistics.items()}
    if not all(_is_storable(array) for array in arrays.values()):
        return None
    if sum(array.size for array in arrays.values()) > _MOST_VALUES:
        return None
    return {
        name: StoredArray.model_validate(
            {"dtype": str(array.dtype), "shape": array.shape, "values": tuple(array.ravel().tolist())}
        )
        for name, array in arrays.items()
    }


def _is_storable(array: Array) -> bool:
    return str(array.dtype) in get_args(Stored) and bool(np.isfinite(array).all())
