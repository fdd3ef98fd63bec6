"""Updates that turn the mean against the honest direction."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from fedcli.components.attacks.attack import Attack
from fedcli.components.attacks.moments import mean_and_std
from fedcli.core.ranges import require_positive_finite
from fedcli.core.types import Vector


def ipm(*, epsilon: float = 0.1) -> Attack:
    """All malicious clients send -epsilon times the mean of the honest updates.

    A small epsilon hides among honest updates and misleads rules by distance (Krum); a large one, above the
    honest clients for each malicious one, turns the plain mean around.

    Args:
        epsilon: length of what is sent over that of the honest mean, above 0; the paper's are 0.1 to 100.

    Raises:
        ConfigError: if epsilon is outside its range.

    Reference: Xie et al. 2020, arXiv:1903.03936 (inner product manipulation). The mean is unweighted, as in the paper.
    """
    require_positive_finite("epsilon", epsilon)

    def collude(
        own: Sequence[Vector], honest: Sequence[Vector], _rng: np.random.Generator
    ) -> Sequence[Vector]:
        mean, _ = mean_and_std(honest)
        return [(-epsilon * mean).astype(np.float32)] * len(own)

    return Attack("ipm", collude=collude)
