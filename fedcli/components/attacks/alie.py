"""Updates that are wrong by no more than honest ones are: A Little Is Enough."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import NormalDist

import numpy as np

from fedcli.components.attacks.attack import Attack
from fedcli.components.attacks.moments import mean_and_std
from fedcli.core.ranges import require_positive_finite
from fedcli.core.types import Vector


def alie(*, z: float | None = None) -> Attack:
    """All malicious clients send mean - z std of the honest updates, coordinate by coordinate.

    By default z is the largest at which enough honest clients are still further from the mean: with n clients
    in the round, m of them malicious, s = floor(n / 2 + 1) - m are missing to a majority, and
    Phi(z) = (n - m - s) / (n - m).

    Args:
        z: standard deviations that the updates are moved by, above 0; by the formula if it is not given.

    Raises:
        ConfigError: if z is outside its range.

    Reference: Baruch et al. 2019, arXiv:1902.06156, Algorithm 3. n and m are those of the round. Mean and deviation
    are those of the honest updates, where the paper's attacker estimates them from its own clients. Where
    the formula has no positive z (few malicious clients in a small round) the attackers send the mean; a
    majority of them leaves one honest client further out.
    """
    if z is not None:
        require_positive_finite("z", z)

    def collude(
        own: Sequence[Vector], honest: Sequence[Vector], _rng: np.random.Generator
    ) -> Sequence[Vector]:
        mean, std = mean_and_std(honest)
        steps = largest_z(len(own), len(honest)) if z is None else z
        return [(mean - steps * std).astype(np.float32)] * len(own)

    def objection(clients: int, malicious: int) -> str | None:
        if z is not None or malicious == 0 or largest_z(malicious, clients - malicious) > 0:
            return None
        return (
            f"with {malicious} malicious of {clients} clients a round the paper's z is 0, so that the attackers "
            "would send the honest mean"
        )

    return Attack("alie", collude=collude, objection=objection)


def largest_z(num_malicious: int, num_honest: int) -> float:
    """The paper's z_max for a round, at least 0."""
    missing = max(1, (num_malicious + num_honest) // 2 + 1 - num_malicious)
    share = (num_honest - missing) / num_honest
    return NormalDist().inv_cdf(share) if share > 0.5 else 0.0
