"""The geometry of Min-Max and Min-Sum: how far an update can leave the honest mean within a bound."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Literal, NamedTuple

import numpy as np

from fedcli.components.aggregators.distances import COLUMNS, Float64s, gram, row_blocks
from fedcli.components.attacks.attack import Attack
from fedcli.components.attacks.moments import mean_and_std
from fedcli.core.types import Vector

Direction = Literal["unit", "std", "sign"]


class Geometry(NamedTuple):
    """Honest updates x_1 ... x_n around their mean, and a direction p.

    Args:
        offsets: ||mean - x_i||^2, shape [n].
        slopes: <p, mean - x_i>, shape [n].
        length: ||p||^2.
        distances: ||x_i - x_j||^2, shape [n, n].

    The squared distance of mean + gamma p from x_i is offsets_i + 2 gamma slopes_i + gamma^2 length.
    """

    offsets: Float64s
    slopes: Float64s
    length: float
    distances: Float64s


def stretching(name: str, direction: Direction, largest: Callable[[Geometry], float]) -> Attack:
    """The attack in which all malicious clients send mean + gamma p, with the largest gamma within a bound.

    Args:
        name: its name.
        direction: p, one of -mean / ||mean|| (`unit`), -std (`std`) and -sign(mean) (`sign`).
        largest: geometry -> the largest gamma within the bound, at least 0.
    """

    def collude(
        own: Sequence[Vector], honest: Sequence[Vector], _rng: np.random.Generator
    ) -> Sequence[Vector]:
        mean, std = mean_and_std(honest)
        bad = _bad_direction(direction, mean, std)
        gamma = largest(geometry(honest, mean, bad))
        return [(mean + gamma * bad).astype(np.float32)] * len(own)

    return Attack(name, collude=collude)


def geometry(honest: Sequence[Vector], mean: Float64s, bad: Float64s) -> Geometry:
    """The geometry of honest updates and a direction, from one Gram matrix of both."""

    def centred_blocks() -> Iterator[Float64s]:
        for number, block in enumerate(row_blocks(honest)):
            columns = slice(number * COLUMNS, (number + 1) * COLUMNS)
            yield np.concatenate([block - mean[columns], bad[None, columns]])

    products = gram(centred_blocks(), len(honest) + 1)
    offsets = np.diag(products)[:-1]
    # From products, because the differences of all pairs would be n^2 vectors.
    distances = offsets[:, None] + offsets[None, :] - 2 * products[:-1, :-1]
    # The rows are x_i - mean, the slopes are defined by mean - x_i: their signs are opposite.
    return Geometry(offsets, -products[:-1, -1], float(products[-1, -1]), np.maximum(distances, 0.0))


def _bad_direction(direction: Direction, mean: Float64s, std: Float64s) -> Float64s:
    if direction == "std":
        return -std
    if direction == "sign":
        return np.asarray(-np.sign(mean))
    # A mean of zeros has no direction; then the attack sends the mean itself.
    norm = float(np.sqrt(np.square(mean).sum()))
    return -mean / norm if norm else -mean
