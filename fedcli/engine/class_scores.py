"""Metrics of a whole test set of classes, which are not means over examples.

They need the probabilities of all test examples at once: 4 bytes for each class of each example, and a second pass over
the test set. Means over examples are summed piece by piece and need neither.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Counts = npt.NDArray[np.int64]


class Predictions(NamedTuple):
    """What a model says of a test set.

    Args:
        labels: the right class of each example, shape [N].
        probabilities: of each class for each example, shape [N, C]; NaN of a model that diverged.
    """

    labels: Counts
    probabilities: npt.NDArray[np.float32]

    @property
    def num_classes(self) -> int:
        """C."""
        return int(self.probabilities.shape[1])

    def confusion(self) -> Counts:
        """Numbers of examples by right class (row) and predicted class (column), shape [C, C].

        The predicted class is the most probable one, of several equal ones the first.
        """
        from sklearn.metrics import confusion_matrix

        predicted = self.probabilities.argmax(axis=1)
        counted: Counts = confusion_matrix(self.labels, predicted, labels=range(self.num_classes))
        return counted


class ClassFigures(NamedTuple):
    """The figures of one class; NaN where there is nothing to divide by.

    Args:
        examples: test examples of it.
        accuracy: share of these that are predicted to be of it, which is its recall.
        precision: share of the examples predicted to be of it that are.
        f1: the harmonic mean of both.
    """

    examples: int
    accuracy: float
    precision: float
    f1: float


def by_class(confusion: Counts) -> list[ClassFigures]:
    """The figures of each class, from the numbers of `Predictions.confusion`."""
    right, of_class, predicted = confusion.diagonal(), confusion.sum(axis=1), confusion.sum(axis=0)
    return [
        ClassFigures(int(n), _share(hit, n), _share(hit, m), _share(2 * hit, n + m))
        for hit, n, m in zip(right, of_class, predicted, strict=True)
    ]


def scores(names: Iterable[str], predictions: Predictions) -> dict[str, float]:
    """The scores of these names.

    `macro_f1` is the mean of the classes' F1, each class counting the same; a class that neither occurs nor is
    predicted is left out. `macro_auc` is the mean over the classes of the area under the ROC curve of one class against
    all others (Hand and Till 2001 compare pairs instead); a class without examples is left out. `worst_class_accuracy`
    is the least accuracy of a class that has examples. NaN where no class is left.
    """
    return {name: _SCORES[name](predictions) for name in names}


def _macro_f1(predictions: Predictions) -> float:
    return _mean(each.f1 for each in by_class(predictions.confusion()))


def _worst_class_accuracy(predictions: Predictions) -> float:
    known = [each.accuracy for each in by_class(predictions.confusion()) if each.examples]
    return min(known, default=math.nan)


def _macro_auc(predictions: Predictions) -> float:
    from sklearn.metrics import roc_auc_score

    labels, probabilities = predictions
    if not np.isfinite(probabilities).all():
        return math.nan
    here = [number for number in range(predictions.num_classes) if 0 < (labels == number).sum() < len(labels)]
    return _mean(float(roc_auc_score(labels == number, probabilities[:, number])) for number in here)


_SCORES: Mapping[str, Callable[[Predictions], float]] = {
    "macro_f1": _macro_f1,
    "macro_auc": _macro_auc,
    "worst_class_accuracy": _worst_class_accuracy,
}


def _share(part: int, whole: int) -> float:
    return float(part) / float(whole) if whole else math.nan


def _mean(values: Iterable[float]) -> float:
    known = [value for value in values if not math.isnan(value)]
    return math.fsum(known) / len(known) if known else math.nan
