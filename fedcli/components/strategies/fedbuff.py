"""Asynchronous FedAvg: the server moves whenever its buffer is full."""

from __future__ import annotations

import math

from fedcli.components.aggregators import discounted_mean
from fedcli.components.strategies.buffering import buffering
from fedcli.components.strategies.fedavg import fedavg
from fedcli.core.contracts import Strategy
from fedcli.core.errors import ConfigError, require_positive


def fedbuff(
    *,
    buffer_size: int = 10,
    staleness_exponent: float = 0.5,
    server_learning_rate: float = 1.0,
    max_staleness: int | None = None,
) -> Strategy:
    """The clients of the cohort are always at work; a round is one flush of a buffer of their updates.

    An update that started t model updates ago has weight (1 + t)^-staleness_exponent. The sum is divided by the
    number of updates, so that old updates also move the model less.

    Formula: w <- w + server_learning_rate / K * sum_k (1 + t_k)^-staleness_exponent u_k, over the K = buffer_size
    updates of a round, of which each started t_k model updates ago.

    Args:
        buffer_size: updates of one round, at least 1 and at most the clients at work.
        staleness_exponent: how fast old updates lose weight, at least 0; 0 is never.
        server_learning_rate: the server's step along the mean update, above 0.
        max_staleness: model updates after which an update is thrown away, at least 0; null for never. The
            server keeps at most so many older models; without it, at most one for each client at work.

    Reference: Nguyen et al. 2022, arXiv:2106.06639 (FedBuff), Algorithm 1, whose weights are 1 / sqrt(1 + t); for
    max_staleness, Huba et al. 2022, arXiv:2111.04877.

    Deviations: a client starts at most once from one model, and hands in at most one update a round (a second one
    waits for the next), so that its state and its random draws stay separate. If nearly all clients are at work, a
    client that finishes twice while the buffer fills once therefore waits until the server has moved. An update beyond
    max_staleness is thrown away when it is due; in that paper its client is stopped before.

    Combines: a cohort of fixed size (the clients at work), and a section `devices`, whose clock decides when each
    client finishes.

    Needs: cohort={'name': 'uniform', 'size': 10}, devices={'name': 'lognormal'}
    """
    require_positive("server_learning_rate", server_learning_rate)
    if buffer_size < 1:
        raise ConfigError(f"a buffer holds at least 1 update; received {buffer_size}.", key="buffer_size")
    if not 0 <= staleness_exponent < math.inf:
        raise ConfigError(
            f"staleness_exponent is a number of at least 0; received {staleness_exponent}.",
            key="staleness_exponent",
        )
    return fedavg(weighting="uniform", server_learning_rate=server_learning_rate)._replace(
        name="fedbuff",
        # What old updates lose in weight must not go to the others, as it would in a weighted mean.
        aggregator=discounted_mean(),
        buffer=buffering(
            size=buffer_size, staleness_exponent=staleness_exponent, max_staleness=max_staleness
        ),
    )
