"""Inner product manipulation: updates that turn the mean against the honest direction."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from fedcli.components.attacks.attack import Attack
from fedcli.components.attacks.moments import mean_and_std
from fedcli.core.ranges import require_positive_finite
from fedcli.core.types import Vector


def ipm(*, epsilon: float = 0.1) -> Attack:
    """All malicious clients send -epsilon times the mean of the honest updates.

    With a small epsilon the updates resemble honest ones and mislead rules that use distances, such as Krum. An
    epsilon above the number of honest clients for each malicious one reverses the plain mean.

    Args:
        epsilon: length of the sent update over that of the honest mean, above 0; the paper uses 0.1 to 100.

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
