"""Predictions of a run's model for new rows, with the run's own preprocessing."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import NamedTuple

import numpy as np

from fedcli import config
from fedcli.components.data.preprocessing.preprocessor import Statistics, apply_all
from fedcli.core.errors import RunError
from fedcli.core.types import Array
from fedcli.core.user_code import blamed
from fedcli.engine.records import Row
from fedcli.experiment.federation import steps_of
from fedcli.experiment.make import located
from fedcli.runs.keras_model import interface_from_data, keras_model
from fedcli.runs.model_interface import FittedStep, ModelInterface, read_interface
from fedcli.runs.new_rows import NewRows, read_rows
from fedcli.runs.raw_range import misfits
from fedcli.runs.round_choice import Choice, chosen_round
from fedcli.runs.run_sources import read_source
from fedcli.store import directory

OLD = (
    "The run has no model.json, because an earlier version wrote it; columns and preprocessing were taken from its "
    "data as they are now."
)
_BATCH = 256


class PredictedRows(NamedTuple):
    """Predictions for new rows.

    Args:
        rows: one record for each row: its name, the prediction, and the probability of every class.
        round: of the model.
        notes: sentences on what was ignored, changed, or does not look like the run's own rows.
        agreement: share of the rows that are predicted as the file says, or the mean absolute error of a regression;
            None where the file does not say.
    """

    rows: list[Row]
    round: int
    notes: tuple[str, ...]
    agreement: tuple[str, float] | None


@blamed("the prediction")
def predict_rows(
    folder: Path,
    file: Path | Array,
    *,
    round: Choice = "last",
    client: int | None = None,
    average: bool = False,
    objects: config.Objects = config.NO_OBJECTS,
    before_tensorflow: Callable[[], AbstractContextManager[None]] = nullcontext,
) -> PredictedRows:
    """Predict new rows, which are read and preprocessed as the run's test set was. Loads TensorFlow.

    Args:
        folder: the run directory.
        file: a csv, whose columns are matched by name; an .npz with an array x; a folder of images; or an array of raw
            examples [N, ...].
        round: the number of the round, `last` or `best`.
        client: whose own model to use; None for the global one.
        average: whether to use the moving average of the models.
        objects: the components that the run was started with as Python objects.
        before_tensorflow: entered before TensorFlow is loaded.

    Raises:
        ConfigError: if the run has no such model, or the file does not have what it needs.
        RunError: if a file of the run is not the one that it wrote.
    """
    number = chosen_round(folder, round)
    # First what needs no TensorFlow.
    interface = read_interface(folder)
    given = None if interface is None else read_rows(file, interface)
    with before_tensorflow():
        model = keras_model(folder, number, client=client, average=average, objects=objects)
    notes: tuple[str, ...] = ()
    if interface is None or given is None:
        interface, notes = interface_from_data(folder, model, objects), (OLD,)
        given = read_rows(file, interface)
    notes = (*notes, *given.notes, *misfits(given.x, interface))
    x = preprocessed(folder, interface, given.x)
    outputs = np.asarray(model.predict(x, batch_size=_BATCH, verbose=0), np.float64)
    if not np.isfinite(outputs).all():
        raise RunError(
            f"the model of round {number} gives NaN or infinity: the run diverged.\nUse another --round."
        )
    rows, agreement = predicted(outputs, given, interface)
    return PredictedRows(rows, number, notes, agreement)


def written_rows(rows: Sequence[Row]) -> str:
    """Predictions as the text of a csv."""
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    # As many digits as the float32 of a model have.
    writer.writerows(
        {name: f"{value:.7g}" if isinstance(value, float) else value for name, value in row.items()}
        for row in rows
    )
    return text.getvalue()


def preprocessed(folder: Path, interface: ModelInterface, x: Array) -> Array:
    """Raw rows as the model takes them, float32.

    Args:
        folder: the run directory, whose config names the steps.
        interface: their fitted statistics.
        x: raw rows, shape [N, ...].

    Raises:
        ConfigError: if a step cannot be made.
        RunError: if its statistics are in no file.
    """
    if interface.preprocessing is None:
        # The factory of a custom federation preprocesses; nobody else can.
        return np.ascontiguousarray(x, np.float32)
    source = read_source(folder)
    with located(source):
        steps = steps_of(source.experiment.data)
    fitted = [_statistics(folder, step) for step in interface.preprocessing]
    return apply_all(steps, fitted, x)


def _statistics(folder: Path, step: FittedStep) -> Statistics:
    if step.statistics is None:
        raise RunError(
            f"{folder / directory.MODEL} does not hold the statistics of the step {step.name}: they are not numbers of "
            "a common type, or too many.\nPreprocess the rows yourself, and use the exported model."
        )
    return {name: array.array() for name, array in step.statistics.items()}


def predicted(
    outputs: Array, given: NewRows, interface: ModelInterface
) -> tuple[list[Row], tuple[str, float] | None]:
    """One record a row, and how far they agree with what the file says; None where it says nothing.

    Args:
        outputs: of the model, shape [N, outputs].
        given: the rows.
        interface: what the outputs mean.
    """
    if interface.task == "classification":
        return _classes(outputs, given, interface)
    return _values(outputs, given)


def probabilities(outputs: Array, interface: ModelInterface) -> Array:
    """The probability of every class, shape [N, C], from the outputs of a classifier.

    Args:
        outputs: of the model, shape [N, outputs].
        interface: what they are.
    """
    if outputs.shape[1] == 1:
        second = (
            outputs if interface.gives == "probabilities" else 1 / (1 + np.exp(-np.clip(outputs, -700, 700)))
        )
        return np.concatenate([1 - second, second], axis=1)
    if interface.gives == "probabilities":
        return outputs
    raised = np.exp(outputs - outputs.max(axis=1, keepdims=True))
    shares: Array = raised / raised.sum(axis=1, keepdims=True)
    return shares


def _classes(
    outputs: Array, given: NewRows, interface: ModelInterface
) -> tuple[list[Row], tuple[str, float] | None]:
    shares, names = probabilities(outputs, interface), interface.class_names
    chosen = shares.argmax(axis=1)
    rows = [
        {
            given.label: name,
            "prediction": names[place],
            "probability": float(row[place]),
            **{f"probability/{each}": float(value) for each, value in zip(names, row, strict=True)},
        }
        for name, row, place in zip(given.names, shares, chosen.tolist(), strict=True)
    ]
    if given.known is None:
        return rows, None
    hits = [_is_same(row["prediction"], known) for row, known in zip(rows, given.known, strict=True)]
    return rows, ("accuracy", float(np.mean(hits)))


def _values(outputs: Array, given: NewRows) -> tuple[list[Row], tuple[str, float] | None]:
    # No step of fedcli's changes the targets of a regression, so that outputs have their units.
    several = outputs.shape[1] > 1
    labels = [f"prediction/{index}" for index in range(outputs.shape[1])] if several else ["prediction"]
    rows = [
        {given.label: name, **dict(zip(labels, row.tolist(), strict=True))}
        for name, row in zip(given.names, outputs, strict=True)
    ]
    known = _numbers(given.known)
    if known is None or several:
        return rows, None
    return rows, ("mean absolute error", float(np.abs(outputs[:, 0] - known).mean()))


def _numbers(texts: Sequence[str] | None) -> Array | None:
    try:
        return None if texts is None else np.array([float(text) for text in texts])
    except ValueError:
        return None


def _is_same(predicted: str, known: str) -> bool:
    """Whether two names are of one class: 1 and 1.0 are, as they are where a table is read."""
    try:
        return predicted == known or float(predicted) == float(known)
    except ValueError:
        return False
