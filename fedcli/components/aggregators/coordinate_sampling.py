"""Random coordinates from a seed and a counter, for rules that look at a sample of the model."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from fedcli.core.seeds import SERVER, generator
from fedcli.core.types import Tree


def count_from_zero(_num_parameters: int) -> Tree:
    """The state of a rule that draws coordinates in every round: the number of draws so far."""
    # An array, because a state is written to an .npz file.
    return {"draws": np.zeros((), np.int64)}


def counted(state: Tree) -> tuple[int, Tree]:
    """The number of this round's draw, counted from 1, and the state after it."""
    number = int(state["draws"]) + 1
    return number, {"draws": np.asarray(number, np.int64)}


def sample(rng: np.random.Generator, size: int, num_parameters: int) -> npt.NDArray[np.int64]:
    """`size` different coordinates in ascending order, or all of them if the model has no more."""
    if size >= num_parameters:
        return np.arange(num_parameters)
    # Ascending, because vectors are read faster in their own order.
    return np.sort(rng.choice(num_parameters, size, replace=False, shuffle=False))


def stream(seed: int, draw: int, purpose: str) -> np.random.Generator:
    """The generator of one draw, counted from 1."""
    return generator(seed, draw, SERVER, purpose)
