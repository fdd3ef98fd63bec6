"""Preprocessing steps as pairs of pure functions, fit and apply, and the functions that run a list of steps.

Every statistic is a named array with an operation that joins two clients' values (`np.add`, `np.minimum`,
`np.maximum`). The statistics of a union are therefore the joined statistics of its parts. The central test set
is preprocessed in this way, and nobody needs all rows at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from fedcli.components.data.dataset import Array
from fedcli.core.privacy_events import PrivatisedDataEvent
from fedcli.core.sampling_scheme import PrivacyTarget

Statistics = Mapping[str, Array]
Join = Callable[[Array, Array], Array]


class ExampleNoise(NamedTuple):
    """Noise on a client's own examples.

    Attributes:
        event: what the accountant charges, once for a run.
        target: the delta at which epsilon is stated.
        noise: features [n, ...] after `apply` and a key of 32 bytes -> noised features.
    """

    event: PrivatisedDataEvent
    target: PrivacyTarget
    noise: Callable[[Array, bytes], Array]


def _no_statistics(_x: Array) -> Statistics:
    return {}


def _same_features(x: Array, _statistics: Statistics) -> Array:
    return x


def _same_labels(y: Array) -> Array:
    return y


class Preprocessor(NamedTuple):
    """One step of preprocessing. A field that is not given leaves the data as they are.

    Attributes:
        fit: features [n, ...] of one client's training part -> statistics; for the test set of more than 10,000
            clients, of pieces of all training parts.
        apply: features [n, ...] and statistics -> features.
        pool: how each statistic of two clients is joined; empty for a step that learns nothing from the data.
        labels: labels [n] -> targets.
        protection: the noise that the step adds to a client's own examples after `apply`.
    """

    fit: Callable[[Array], Statistics] = _no_statistics
    apply: Callable[[Array, Statistics], Array] = _same_features
    pool: Mapping[str, Join] = {}
    labels: Callable[[Array], Array] = _same_labels
    protection: ExampleNoise | None = None


def fit_all(steps: Sequence[Preprocessor], x: Array) -> tuple[Statistics, ...]:
    """Statistics of each step, fitted to the features `x` [n, ...] after the steps before it."""
    return fit_pooled(steps, lambda: (x,))


def fit_pooled(steps: Sequence[Preprocessor], parts: Callable[[], Iterable[Array]]) -> tuple[Statistics, ...]:
    """Statistics of each step over a union of parts, with one part at a time in memory.

    Args:
        steps: the preprocessing.
        parts: starts a pass over the parts, each [n, ...]; one pass is made for each step that learns.
    """
    fitted: tuple[Statistics, ...] = ()
    for index, step in enumerate(steps):
        pooled: Statistics | None = {} if not step.pool else None
        # A step that learns nothing needs no pass over the data.
        for part in parts() if step.pool else ():
            one = step.fit(_applied(steps[:index], fitted, part))
            pooled = (
                one if pooled is None else {name: step.pool[name](pooled[name], one[name]) for name in one}
            )
        fitted = (*fitted, pooled or {})
    return fitted


def apply_all(steps: Sequence[Preprocessor], fitted: Sequence[Statistics], x: Array) -> Array:
    """Features after all steps, contiguous float32."""
    return np.ascontiguousarray(_applied(steps, fitted, x), dtype=np.float32)


def apply_labels(steps: Sequence[Preprocessor], y: Array) -> Array:
    """Labels or targets after all steps."""
    for step in steps:
        y = step.labels(y)
    return np.ascontiguousarray(y)


def _applied(steps: Sequence[Preprocessor], fitted: Sequence[Statistics], x: Array) -> Array:
    for step, statistics in zip(steps, fitted, strict=True):
        x = step.apply(x, statistics)
    return x
