"""The buffer of asynchronous rounds, with weights that fall with staleness."""

from __future__ import annotations

from fedcli.core.contracts import Buffer
from fedcli.core.errors import ConfigError
from fedcli.core.factories import component


@component
def buffering(*, size: int, staleness_exponent: float, max_staleness: int | None = None) -> Buffer:
    """A buffer in which an update that started t model updates ago has weight (1 + t)^-staleness_exponent.

    Args:
        size: updates of one round, at least 1.
        staleness_exponent: how fast old updates lose weight, at least 0; 0 is never.
        max_staleness: model updates after which an update is thrown away, at least 0; None for never.

    Raises:
        ConfigError: if max_staleness is negative.

    Reference: Nguyen et al. 2022, arXiv:2106.06639 (FedBuff), whose weights are 1 / sqrt(1 + t).
    """
    if max_staleness is not None and max_staleness < 0:
        raise ConfigError(
            f"max_staleness is a number of model updates of at least 0; received {max_staleness}.",
            key="max_staleness",
        )
    return Buffer(size, lambda staleness: (1.0 + staleness) ** -staleness_exponent, max_staleness)
