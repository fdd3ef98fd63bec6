"""Everybody's training examples in the order of the dataset, for what is learned from those of very many clients."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache

import numpy as np
import numpy.typing as npt

from fedcli.components.data.dataset import Array, Dataset
from fedcli.components.data.validation_split import ValidationSplit

MOST_ONE_BY_ONE = 10_000
"""Most clients whose statistics are made one client after the other, which takes a minute for a million."""
# As float64, of which a step makes a few copies.
_PIECE_BYTES = 2**25


def training_pieces(dataset: Dataset, split: ValidationSplit) -> Callable[[], Iterator[Array]]:
    """Starts a pass over the features of all training examples, without those that clients validate on.

    The pieces are [n, ...]. A file that is mapped is read from its beginning to its end. A sum over the pieces is that
    over the clients but for its rounding.
    """

    # Once for all passes, and not at all where no step learns.
    @cache
    def training() -> npt.NDArray[np.bool_]:
        is_training = np.ones(dataset.num_examples, bool)
        for rows in split.validation_rows():
            is_training[rows] = False
        return is_training

    def pieces() -> Iterator[Array]:
        step = max(1, _PIECE_BYTES // (8 * dataset.example[0].size))
        for start in range(0, dataset.num_examples, step):
            chosen = training()[start : start + step]
            # A piece without an example has no range.
            if chosen.any():
                yield dataset.x[start : start + step][chosen]

    return pieces
