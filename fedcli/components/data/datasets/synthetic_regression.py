"""A synthetic regression problem: 100 inputs and one output by default."""

from __future__ import annotations

import math

import numpy as np

from fedcli.components.data.dataset import Array, Dataset, hold_out
from fedcli.components.data.generated import Drawn, GeneratedDataset, check_population
from fedcli.core.errors import ConfigError
from fedcli.core.seeds import SERVER, generator

# Those of a partition are drawn before anything else is known, also by `fedcli check`.
_MOST_EXAMPLES, _MOST_VALUES = 1_000_000, 10_000_000


def synthetic_regression(
    seed: int,
    *,
    examples: int = 10_000,
    features: int = 100,
    noise: float = 0.1,
    test_fraction: float = 0.2,
    clients: int | None = None,
    test_clients: int = 1000,
) -> Dataset:
    """A smooth function of many normal inputs: y = a + sin(b) / 2 + noise, a = x u and b = x v.

    x ~ N(0, 1)^features; u and v are random directions of length 1, so a and b are N(0, 1) too.

    Args:
        seed: decides the data.
        examples: training and test examples together, at least 2: up to 1,000,000; with `clients`, of each of them.
        features: inputs of one example, at least 1; examples x features is at most 10,000,000.
        noise: standard deviation of the noise on the targets, at least 0.
        test_fraction: share of the examples that is held out, in (0, 1).
        clients: natural clients, 1 to 1,000,000, each of which draws its own examples when somebody asks for it; null
            draws all examples at once, for a partition.
        test_clients: clients whose held-out examples are the test set, the first so many, 1 to 1,000,000.

    Raises:
        ConfigError: if a number is out of range.
    """
    for name, value, least in (("examples", examples, 2), ("features", features, 1), ("noise", noise, 0)):
        if not (math.isfinite(value) and value >= least):
            raise ConfigError(f"{name} is {value}; expected at least {least}.", key=name)
    if examples > _MOST_EXAMPLES:
        raise ConfigError(f"examples is {examples:,}; expected at most {_MOST_EXAMPLES:,}.", key="examples")
    if examples * features > _MOST_VALUES:
        raise ConfigError(
            f"{examples:,} examples of {features:,} features are more than {_MOST_VALUES:,} values.",
            key="examples",
        )
    rng = generator(seed, 0, SERVER, "data/synthetic_regression")
    directions = rng.normal(size=(features, 2))
    directions /= np.linalg.norm(directions, axis=0)
    if clients is None:
        x, y = _draw(rng, examples, directions, noise)
        train, test = hold_out(examples, test_fraction, rng=rng)
        return Dataset(x[train], y[train], x[test], y[test], task="regression", num_outputs=1)
    check_population(clients, test_clients)
    held_out = len(hold_out(examples, test_fraction, rng=rng)[1])

    def draw(client: int) -> Drawn:
        return _draw(generator(seed, 0, client, "data/synthetic_regression"), examples, directions, noise)

    sizes = np.full(clients, examples - held_out)
    return GeneratedDataset(sizes, draw, test_clients=test_clients, task="regression", num_outputs=1)


def _draw(rng: np.random.Generator, examples: int, directions: Array, noise: float) -> Drawn:
    x = rng.normal(size=(examples, len(directions)))
    # einsum and not @: the bits of a BLAS product can depend on the number of threads.
    a, b = np.einsum("nf,fo->on", x, directions)
    y = (a + np.sin(b) / 2 + rng.normal(0, abs(noise), examples)).astype(np.float32)
    return Drawn(x.astype(np.float32), y)
