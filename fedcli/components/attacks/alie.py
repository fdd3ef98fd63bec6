"""A Little Is Enough: updates that deviate no more than honest ones do."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import NormalDist
from typing import Literal

import numpy as np

from fedcli.components.attacks.attack import Attack
from fedcli.components.attacks.moments import mean_and_std
from fedcli.core.errors import ConfigError
from fedcli.core.ranges import require_positive_finite
from fedcli.core.types import Vector

_SIGNS = {"minus": -1.0, "plus": 1.0}


def alie(*, z: float | None = None, direction: Literal["minus", "plus"] = "minus") -> Attack:
    """All malicious clients send mean - z std of the honest updates, coordinate by coordinate.

    An update points against the gradient. The formula as published, applied to what clients send, is `minus`. The
    authors' code and Blades subtract from gradients, which is `plus` for updates. Neither direction is worse in
    general: z std has no sign, so it does not know where the honest updates go.

    By default z is the largest value at which enough honest clients are still further from the mean. With n clients
    in the round and m of them malicious, a majority needs s = floor(n / 2 + 1) - m honest clients, and
    Phi(z) = (n - m - s) / (n - m).

    Args:
        z: distance from the mean in standard deviations, above 0; by default that of the formula.
        direction: `minus`, or `plus` for mean + z std.

    Raises:
        ConfigError: if z or direction is outside its range.

    Reference: Baruch et al. 2019, arXiv:1902.06156, Algorithm 3. n and m are those of the round. Mean and deviation
    are those of the honest updates; the paper's attacker estimates them from its own clients. If the formula gives no
    positive z (few malicious clients in a small round), the attackers send the mean. If they are the majority
    themselves, one honest client is still further from the mean.

    Example: z=1.5
    """
    if z is not None:
        require_positive_finite("z", z)
    if direction not in _SIGNS:
        raise ConfigError(f"direction is minus or plus; received {direction}.", key="direction")
    sign = _SIGNS[direction]

    def collude(
        own: Sequence[Vector], honest: Sequence[Vector], _rng: np.random.Generator
    ) -> Sequence[Vector]:
        mean, std = mean_and_std(honest)
        steps = largest_z(len(own), len(honest)) if z is None else z
        return [(mean + sign * steps * std).astype(np.float32)] * len(own)

    def objection(clients: int, malicious: int) -> str | None:
        if z is not None or malicious == 0 or largest_z(malicious, clients - malicious) > 0:
            return None
        # Refused before the run: any defence would look perfect against the honest mean.
        return (
            f"with {malicious} malicious of {clients} clients a round the paper's z is 0, so that the attackers "
            "would send the honest mean"
        )

    return Attack("alie", collude=collude, objection=objection)


def largest_z(num_malicious: int, num_honest: int) -> float:
    """The paper's z_max for a round, at least 0."""
    # At least 1, so that a malicious majority does not ask for a share of all honest clients, at which z is infinite.
    missing = max(1, (num_malicious + num_honest) // 2 + 1 - num_malicious)
    share = (num_honest - missing) / num_honest
    return NormalDist().inv_cdf(share) if share > 0.5 else 0.0
