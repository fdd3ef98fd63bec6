"""All clients in every round."""

from __future__ import annotations

import numpy as np

from fedcli.core.contracts import Cohort
from fedcli.core.sampling_scheme import Sampling


def full() -> Cohort:
    """Every client in every round."""
    return Cohort(
        name="full",
        sample=lambda _rng, population, _state: np.arange(population, dtype=np.int64),
        expected_size=float,
        sampling=lambda population: Sampling("full", population, size=population),
    )
