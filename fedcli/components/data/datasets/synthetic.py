"""Synthetic(alpha, beta), the FedProx benchmark: each client has its own softmax model and features."""

from __future__ import annotations

import math
from functools import partial

import numpy as np

from fedcli.components.data.dataset import Array, Dataset, Rows
from fedcli.components.data.generated import Drawn, GeneratedDataset, check_population
from fedcli.core.errors import ConfigError
from fedcli.core.seeds import SERVER, generator

NUM_FEATURES = 60
NUM_CLASSES = 10
TRAIN_SHARE = 0.9
_DEVIATION = np.arange(1, NUM_FEATURES + 1) ** -0.6  # the root of the variance j^-1.2
_BLOCK = 10_000
"""The sizes of so many clients are drawn together, but of the first ones, each of which draws its own."""
# A client may have a million examples, whose float64 draws would take half a gigabyte.
_CHUNK_ROWS = 8192


def synthetic(
    seed: int,
    *,
    alpha: float = 1.0,
    beta: float = 1.0,
    iid: bool = False,
    clients: int = 30,
    test_clients: int = 1000,
) -> Dataset:
    """Synthetic(alpha, beta): 60 features, 10 classes, natural clients, which the partition natural keeps.

    Client k has n = int(lognormal(4, 2)) + 50 examples, m ~ N(0, alpha), B ~ N(0, beta), v ~ N(B, 1)^60;
    W, b ~ N(m, 1); x ~ N(v, diag(j^-1.2)); y = argmax(x W + b). 90 % of a client's examples are for
    training; the other 10 % of the first `test_clients` clients together are the central test set. Client k's
    data does not depend on the number of clients. A client is drawn when somebody asks for it.

    Args:
        seed: decides the data.
        alpha: how much the clients' models differ, at least 0; a standard deviation, as in the authors' code.
        beta: how much the clients' features differ, at least 0; likewise.
        iid: v = 0 and one W, b ~ N(0, 1) for all clients; alpha and beta have no effect.
        clients: natural clients, 1 to 1,000,000.
        test_clients: clients whose other 10 % are the test set, the first so many, 1 to 1,000,000.

    Raises:
        ConfigError: if alpha or beta is negative, or a number of clients is out of range.

    Reference: Li et al. 2020 (FedProx), arXiv:1812.06127.
    """
    for name, value in (("alpha", alpha), ("beta", beta)):
        if not (math.isfinite(value) and value >= 0):
            raise ConfigError(f"{name} is {value}; expected a number of at least 0.", key=name)
    check_population(clients, test_clients)
    # NumPy takes no deviation of -0.0, which is 0 to everybody else.
    alpha, beta = abs(alpha), abs(beta)
    shared = _softmax_model(0.0, generator(seed, 0, SERVER, "data/synthetic")) if iid else None
    sizes = _sizes(seed, clients)
    return GeneratedDataset(
        (TRAIN_SHARE * sizes).astype(np.int64),
        partial(_draw_client, seed, sizes, alpha=alpha, beta=beta, shared=shared),
        test_clients=test_clients,
        task="classification",
        num_outputs=NUM_CLASSES,
    )


def _sizes(seed: int, clients: int) -> Rows:
    """All examples of each client, int64 [K]."""
    own = [
        generator(seed, 0, client, "data/synthetic").lognormal(4, 2) for client in range(min(clients, _BLOCK))
    ]
    # A generator for each of a million clients takes 15 seconds, and one for 10,000 of them a millisecond.
    blocks = [
        generator(seed, 0, first, "data/synthetic sizes").lognormal(4, 2, _BLOCK)
        for first in range(_BLOCK, clients, _BLOCK)
    ]
    drawn: Array = np.concatenate([own, *blocks])[:clients]
    return drawn.astype(np.int64) + 50


def _draw_client(
    seed: int, sizes: Rows, client: int, *, alpha: float, beta: float, shared: tuple[Array, Array] | None
) -> Drawn:
    rng = generator(seed, 0, client, "data/synthetic")
    # Drawn by every client, also where `_sizes` has it of the client's block, so that what follows is one stream.
    rng.lognormal(4, 2)
    model_mean, feature_mean = rng.normal(0, alpha), rng.normal(0, beta)
    center = rng.normal(feature_mean, 1, NUM_FEATURES)
    # Drawn with `iid` too, so that later draws stay the same.
    weights, bias = _softmax_model(model_mean, rng)
    if shared is not None:
        center, (weights, bias) = np.zeros(NUM_FEATURES), shared
    num_examples = int(sizes[client])
    x, y = np.empty((num_examples, NUM_FEATURES), np.float32), np.empty(num_examples, np.int64)
    for start in range(0, num_examples, _CHUNK_ROWS):
        rows = slice(start, min(start + _CHUNK_ROWS, num_examples))
        # What `rng.normal(center, deviation)` draws, in half the time.
        drawn = rng.standard_normal((rows.stop - start, NUM_FEATURES))
        drawn *= _DEVIATION
        drawn += center
        # einsum and not @: the bits of a BLAS product can depend on the number of threads. With the examples last it
        # sums over the features in the same order, in half the time.
        scores = np.einsum("fn,fc->cn", np.ascontiguousarray(drawn.T), weights) + bias[:, None]
        x[rows], y[rows] = drawn, np.argmax(scores, axis=0)
    return Drawn(x, y)


def _softmax_model(mean: float, rng: np.random.Generator) -> tuple[Array, Array]:
    return rng.normal(mean, 1, (NUM_FEATURES, NUM_CLASSES)), rng.normal(mean, 1, NUM_CLASSES)
