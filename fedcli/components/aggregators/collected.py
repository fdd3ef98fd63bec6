"""The updates of a round as the rows of one matrix, for rules that need all of them at once.

The matrix is never allocated: its rows are the arrays that arrived (float32, 4 P bytes a client), and rules
read it in blocks of columns. Rows stand in the order of their contents and not of their arrival, so that
whatever a rule does with them, ties and rounding included, a permutation of the clients changes no bit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cmp_to_key
from typing import NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from fedcli.components.aggregators.distances import COLUMNS
from fedcli.core.contracts import Aggregator
from fedcli.core.rounds import Aggregate, ClientUpdate
from fedcli.core.sums import BlockSum
from fedcli.core.types import Array, Tree, Vector

Float64s: TypeAlias = npt.NDArray[np.float64]


class Rows(NamedTuple):
    """All updates of a round: `vectors` of shape [P] each, and their clients' weights."""

    vectors: Sequence[Vector]
    weights: Sequence[float]


Combine: TypeAlias = Callable[[Rows, Tree], tuple[Array | None, Tree]]
"""`(rows, state)` -> `(update [P] or None where the rows support none, state)`."""


def collecting(
    name: str,
    combine: Combine,
    *,
    init: Callable[[int], Tree] | None = None,
    min_clients: int = 1,
    uses_weights: bool = False,
) -> Aggregator:
    """An aggregator that collects a round's updates and combines them; its aggregate has weight 1.

    With fewer than `min_clients` updates (drop-outs, rejections), or where `combine` finds no update to
    trust, the weight is 0, so that the model stays as it was.
    """

    def aggregate(
        updates: Iterable[ClientUpdate], num_parameters: int, state: Tree
    ) -> tuple[Aggregate, Tree]:
        rows = collect(updates)
        if len(rows.vectors) < min_clients:
            return nothing(num_parameters), state
        value, state = combine(rows, state)
        return (nothing(num_parameters) if value is None else Aggregate(value, 1.0)), state

    return Aggregator(
        name,
        init or no_state,
        aggregate,
        accepts=("vector",),
        is_sum=False,
        min_clients=min_clients,
        uses_weights=uses_weights,
    )


def no_state(_num_parameters: int) -> Tree:
    """The state of a rule that keeps none."""
    return {}


def nothing(num_parameters: int) -> Aggregate:
    """The aggregate that leaves the model as it was."""
    return Aggregate(np.zeros(num_parameters), 0.0)


def collect(updates: Iterable[ClientUpdate]) -> Rows:
    """All updates of a stream, in the order of their contents. Payloads of float32 are not copied."""
    pairs = [
        (np.ascontiguousarray(update.payload, dtype=np.float32), float(update.weight)) for update in updates
    ]
    pairs.sort(key=cmp_to_key(_compare))
    return Rows([vector for vector, _ in pairs], [weight for _, weight in pairs])


def column_blocks(rows: Rows) -> Iterator[tuple[slice, npt.NDArray[np.float32]]]:
    """`(columns, values)` with values of shape [columns, n]: one coordinate's values lie side by side."""
    for start in range(0, rows.vectors[0].size, COLUMNS):
        columns = slice(start, start + COLUMNS)
        yield columns, np.stack([vector[columns] for vector in rows.vectors], axis=1)


def by_coordinate(
    rows: Rows, reduce: Callable[[npt.NDArray[np.float32]], Float64s], *, among: Sequence[int] | None = None
) -> Float64s:
    """Apply `reduce`: [columns, n] sorted along n -> [columns], to all coordinates; the result has shape [P].

    Args:
        rows: the updates.
        reduce: a function of one coordinate's sorted values.
        among: the rows that count; all by default.
    """
    if among is not None:
        rows = Rows([rows.vectors[i] for i in among], [rows.weights[i] for i in among])
    result = np.empty(rows.vectors[0].size, np.float64)
    for columns, values in column_blocks(rows):
        values.sort(axis=1)
        result[columns] = reduce(values)
    return result


def mean_of(rows: Rows, among: Iterable[int], *, factors: Sequence[float] | None = None) -> Float64s:
    """Mean of the rows `among`, each first scaled by its own factor, summed in the order of contents; [P]."""
    chosen = sorted(among)
    total = BlockSum(rows.vectors[0].size)
    for row in chosen:
        total.add(rows.vectors[row], 1.0 if factors is None else factors[row])
    return total.result() / len(chosen)


def _compare(a: tuple[Vector, float], b: tuple[Vector, float]) -> int:
    # Compared as integers, so that every two different bit patterns (of 0 and -0 too) have an order.
    for start in range(0, a[0].size, COLUMNS):
        x, y = (vector[start : start + COLUMNS].view(np.uint32) for vector in (a[0], b[0]))
        different = np.flatnonzero(x != y)
        if different.size:
            return -1 if x[different[0]] < y[different[0]] else 1
    return (a[1] > b[1]) - (a[1] < b[1])
