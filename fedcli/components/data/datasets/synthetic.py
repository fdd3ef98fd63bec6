"""Synthetic(alpha, beta), the FedProx benchmark: each client has its own softmax model and features."""

from __future__ import annotations

import math

import numpy as np

from fedcli.components.data.dataset import Array, Dataset
from fedcli.core.errors import ConfigError
from fedcli.core.seeds import SERVER, generator

NUM_FEATURES = 60
NUM_CLASSES = 10
TRAIN_SHARE = 0.9
# Their data is drawn before anything else is known, also by `fedcli check`: 500 take half a second and 100 MB, and
# 10,000 take 3 GB.
_MOST_CLIENTS = 10_000


def synthetic(
    seed: int, *, alpha: float = 1.0, beta: float = 1.0, iid: bool = False, clients: int = 30
) -> Dataset:
    """Synthetic(alpha, beta): 60 features, 10 classes, natural clients, which the partition natural keeps.

    Client k has n = int(lognormal(4, 2)) + 50 examples, m ~ N(0, alpha), B ~ N(0, beta), v ~ N(B, 1)^60;
    W, b ~ N(m, 1); x ~ N(v, diag(j^-1.2)); y = argmax(x W + b). 90 % of a client's examples are for
    training; the other 10 % of all clients together are the central test set. Client k's data does not
    depend on the number of clients.

    Args:
        seed: decides the data.
        alpha: how much the clients' models differ, at least 0; a standard deviation, as in the authors' code.
        beta: how much the clients' features differ, at least 0; likewise.
        iid: v = 0 and one W, b ~ N(0, 1) for all clients; alpha and beta have no effect.
        clients: natural clients, 1 to 10,000.

    Raises:
        ConfigError: if alpha or beta is negative, or clients is out of range.

    Reference: Li et al. 2020 (FedProx), arXiv:1812.06127.
    """
    for name, value in (("alpha", alpha), ("beta", beta)):
        if not (math.isfinite(value) and value >= 0):
            raise ConfigError(f"{name} is {value}; expected a number of at least 0.", key=name)
    # NumPy takes no deviation of -0.0, which is 0 to everybody else.
    alpha, beta = abs(alpha), abs(beta)
    if not 1 <= clients <= _MOST_CLIENTS:
        raise ConfigError(f"clients is {clients}; expected 1 to {_MOST_CLIENTS:,}.", key="clients")
    shared = _softmax_model(0.0, generator(seed, 0, SERVER, "data/synthetic")) if iid else None
    drawn = [_draw_client(seed, client, alpha=alpha, beta=beta, shared=shared) for client in range(clients)]
    cuts = [int(TRAIN_SHARE * len(y)) for _, y in drawn]
    return Dataset(
        x=np.concatenate([x[:cut] for (x, _), cut in zip(drawn, cuts, strict=True)]),
        y=np.concatenate([y[:cut] for (_, y), cut in zip(drawn, cuts, strict=True)]),
        x_test=np.concatenate([x[cut:] for (x, _), cut in zip(drawn, cuts, strict=True)]),
        y_test=np.concatenate([y[cut:] for (_, y), cut in zip(drawn, cuts, strict=True)]),
        task="classification",
        num_outputs=NUM_CLASSES,
        client_ids=np.repeat(np.arange(clients), cuts),
    )


def _draw_client(
    seed: int, client: int, *, alpha: float, beta: float, shared: tuple[Array, Array] | None
) -> tuple[Array, Array]:
    rng = generator(seed, 0, client, "data/synthetic")
    num_examples = int(rng.lognormal(4, 2)) + 50
    model_mean, feature_mean = rng.normal(0, alpha), rng.normal(0, beta)
    center = rng.normal(feature_mean, 1, NUM_FEATURES)
    # Drawn with `iid` too, so that later draws stay the same.
    weights, bias = _softmax_model(model_mean, rng)
    if shared is not None:
        center, (weights, bias) = np.zeros(NUM_FEATURES), shared
    deviation = np.arange(1, NUM_FEATURES + 1) ** -0.6  # the root of the variance j^-1.2
    x = rng.normal(center, deviation, (num_examples, NUM_FEATURES))
    # einsum and not @: the bits of a BLAS product can depend on the number of threads.
    logits = np.einsum("nf,fc->nc", x, weights) + bias
    return x.astype(np.float32), np.argmax(logits, axis=1)


def _softmax_model(mean: float, rng: np.random.Generator) -> tuple[Array, Array]:
    return rng.normal(mean, 1, (NUM_FEATURES, NUM_CLASSES)), rng.normal(mean, 1, NUM_CLASSES)
