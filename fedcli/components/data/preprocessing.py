"""What a client does to its own features before it trains: pairs of pure functions, fit and apply.

Statistics are named arrays, each with the operation that joins two clients' values (`np.add`,
`np.minimum`, `np.maximum`), so that the statistics of a union are those of its parts joined: that is
how the central test set is preprocessed without anyone seeing all rows.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from fedcli.components.data.dataset import Array
from fedcli.core.errors import ConfigError
from fedcli.core.factories import Registry
from fedcli.core.noise_multipliers import noise_deviation
from fedcli.core.privacy_events import PrivacyTarget, PrivatisedDataEvent
from fedcli.crypto.noise import gaussian

Statistics = Mapping[str, Array]
Join = Callable[[Array, Array], Any]


class Protection(NamedTuple):
    """Noise on a client's own examples.

    Attributes:
        event: what the accountant charges, once for a run.
        target: the delta at which epsilon is stated.
        noise: features [n, ...] after `apply` and a key of 32 bytes -> noised features.
    """

    event: PrivatisedDataEvent
    target: PrivacyTarget
    noise: Callable[[Array, bytes], Array]


class Preprocessor(NamedTuple):
    """One step of preprocessing.

    Attributes:
        fit: features [n, ...] of one client's training part -> statistics.
        apply: features [n, ...] and statistics -> features.
        pool: how each statistic of two clients is joined; empty where nothing is learnt from the data.
        labels: labels [n] -> targets; leaves them alone except in `one_hot`.
        protection: of a step that adds noise to what it made of a client's own examples.
    """

    fit: Callable[[Array], Statistics]
    apply: Callable[[Array, Statistics], Array]
    pool: Mapping[str, Join]
    labels: Callable[[Array], Array]
    protection: Protection | None = None


def scale(*, factor: float) -> Preprocessor:
    """Multiply every feature by a constant.

    Args:
        factor: the constant, such as 1/255 = 0.00392156862745098 for images.

    Raises:
        ConfigError: if the factor is zero or not finite.
    """
    if not math.isfinite(factor) or factor == 0:
        raise ConfigError(f"factor is {factor}; expected a finite number other than 0.", key="factor")

    def apply(x: Array, statistics: Statistics) -> Array:
        del statistics
        return np.multiply(x, factor, dtype=np.float32)

    return Preprocessor(_nothing, apply, {}, _unchanged)


def standardise() -> Preprocessor:
    """Give each feature mean 0 and standard deviation 1 on the client's training part.

    A feature that is constant there is centred and not divided. Sums are float64.
    """
    return Preprocessor(_moments, _standardised, _MOMENTS, _unchanged)


def min_max() -> Preprocessor:
    """Map each feature's range on the client's training part to 0..1.

    A feature that is constant there becomes 0. Validation and test values may lie outside 0..1; they are
    not clipped.
    """
    return Preprocessor(_range, _to_unit_range, _RANGE, _unchanged)


def flatten() -> Preprocessor:
    """Make each example one row of features, [n, ...] -> [n, d]."""

    def apply(x: Array, statistics: Statistics) -> Array:
        del statistics
        return x.reshape(len(x), math.prod(x.shape[1:]))

    return Preprocessor(_nothing, apply, {}, _unchanged)


def one_hot(*, num_classes: int) -> Preprocessor:
    """Turn the labels (not the features) into one-hot targets [n, num_classes].

    For losses such as `categorical_crossentropy`; the default losses take whole-number labels as they are.
    Text columns of a csv are one-hot features already when it is read.

    Args:
        num_classes: the dataset's number of classes.

    Raises:
        ConfigError: if it is less than 2; on use, if it is not the dataset's or the task is regression.
    """
    if num_classes < 2:
        raise ConfigError(f"num_classes is {num_classes}; expected at least 2.", key="num_classes")

    def labels(y: Array) -> Array:
        if y.dtype.kind != "i" or y.ndim != 1:
            raise ConfigError(
                f"one_hot received targets {y.dtype} {list(y.shape)}; expected the labels of classes."
            )
        if y.max(initial=0) >= num_classes:
            raise ConfigError(
                f"one_hot received the label {y.max()} with num_classes = {num_classes}.", key="num_classes"
            )
        return np.eye(num_classes, dtype=np.float32)[y]

    return Preprocessor(_nothing, _identity, {}, labels)


def privatise(*, clip_norm: float, noise_multiplier: float, delta: float) -> Preprocessor:
    """Scale each example down to an L2 norm of at most `clip_norm`, and add Gaussian noise to it, once.

    It protects the features of one example, its values before this step against any others, from everybody but
    the client: all that is trained on them afterwards is covered, however many rounds there are. Labels are not
    noised, nor is the number of examples. The central test set, which is nobody's, is clipped and not noised. A
    client's validation examples are noised like its training examples. An example with NaN or infinity becomes
    noise around zero. The noise is floating point, from a ChaCha20 stream.

    Args:
        clip_norm: bound on one example's L2 norm, above 0; infinity only without noise.
        noise_multiplier: noise standard deviation in each feature over clip norm, at least 0.
        delta: the delta at which epsilon is stated, in (0, 1).

    Reference: Dwork and Roth 2014, The Algorithmic Foundations of Differential Privacy, Appendix A; epsilon by
    Balle and Wang 2018, arXiv:1805.06530, for one example replaced by another.
    """
    deviation = noise_deviation(noise_multiplier, clip_norm)
    event, target = PrivatisedDataEvent(noise_multiplier, clip_norm), PrivacyTarget(delta)

    def apply(x: Array, statistics: Statistics) -> Array:
        del statistics
        features = tuple(range(1, x.ndim))
        exact = np.asarray(x, np.float64)
        exact = np.where(np.isfinite(exact).all(axis=features, keepdims=True), exact, 0.0)
        with np.errstate(over="ignore"):
            norms = np.sqrt(np.square(exact).sum(axis=features, keepdims=True))
        factors = np.where(norms <= clip_norm, 1.0, clip_norm / np.where(norms > 0, norms, 1.0))
        scaled: Array = exact * factors
        return scaled

    def noise(x: Array, key: bytes) -> Array:
        if not deviation:
            return x
        return x + deviation * gaussian(x.size, key=key).reshape(x.shape)

    return Preprocessor(_nothing, apply, {}, _unchanged, Protection(event, target, noise))


def automatic() -> Preprocessor:
    """Do what the numbers suggest: uint8 is divided by 255, floats are standardised, whole numbers are kept.

    Whole numbers of other types are taken for tokens or categories, which a model looks up.
    """

    def fit(x: Array) -> Statistics:
        return _moments(x) if x.dtype.kind == "f" else {}

    def apply(x: Array, statistics: Statistics) -> Array:
        if x.dtype == np.uint8:
            return np.multiply(x, 1 / 255, dtype=np.float32)
        return _standardised(x, statistics) if x.dtype.kind == "f" else x

    return Preprocessor(fit, apply, _MOMENTS, _unchanged)


PREPROCESSORS: Registry = {
    "scale": scale,
    "standardise": standardise,
    "min_max": min_max,
    "flatten": flatten,
    "one_hot": one_hot,
    "automatic": automatic,
    "privatise": privatise,
}


def fit_all(steps: Sequence[Preprocessor], x: Array) -> tuple[Statistics, ...]:
    """Statistics of each step, each fitted to what the steps before it make of `x` [n, ...]."""
    return fit_pooled(steps, lambda: (x,))


def fit_pooled(steps: Sequence[Preprocessor], parts: Callable[[], Iterable[Array]]) -> tuple[Statistics, ...]:
    """Statistics of each step over a union of parts, of which one at a time is in memory.

    Args:
        steps: the preprocessing.
        parts: starts a pass over the parts, each [n, ...]; one pass is made for each step that learns.
    """
    fitted: tuple[Statistics, ...] = ()
    for index, step in enumerate(steps):
        pooled: Statistics | None = {} if not step.pool else None
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


def _nothing(x: Array) -> Statistics:
    del x
    return {}


def _identity(x: Array, statistics: Statistics) -> Array:
    del statistics
    return x


def _unchanged(y: Array) -> Array:
    return y


_RANGE: Mapping[str, Join] = {"minimum": np.minimum, "maximum": np.maximum}
_MOMENTS: Mapping[str, Join] = {"count": np.add, "sum": np.add, "sum_of_squares": np.add, **_RANGE}


def _range(x: Array) -> Statistics:
    exact = np.asarray(x, dtype=np.float64)
    return {"minimum": exact.min(axis=0), "maximum": exact.max(axis=0)}


def _moments(x: Array) -> Statistics:
    exact = np.asarray(x, dtype=np.float64)
    sums = {"sum": exact.sum(axis=0), "sum_of_squares": np.square(exact).sum(axis=0)}
    return {"count": np.asarray(len(x), np.int64), **sums, **_range(x)}


def _to_unit_range(x: Array, statistics: Statistics) -> Array:
    low = statistics["minimum"]
    return (x - low) / _or_one(statistics["maximum"] - low)


def _standardised(x: Array, statistics: Statistics) -> Array:
    mean = statistics["sum"] / statistics["count"]
    variance = statistics["sum_of_squares"] / statistics["count"] - np.square(mean)
    # The subtraction's rounding error can be as large as the variance, or negative: never divide by less.
    deviation = np.sqrt(np.maximum(variance, np.finfo(np.float64).eps * np.square(mean)))
    constant = statistics["minimum"] == statistics["maximum"]
    return (x - mean) / _or_one(np.where(constant, 0.0, deviation))


def _or_one(divisor: Array) -> Array:
    return np.where(divisor > 0, divisor, 1.0)
