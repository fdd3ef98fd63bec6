"""Who takes part in a round."""

from fedcli.components.cohorts.capped_poisson import capped_poisson
from fedcli.components.cohorts.full import full
from fedcli.components.cohorts.min_separation import min_separation, whose_turn
from fedcli.components.cohorts.poisson import poisson
from fedcli.components.cohorts.power_of_choice import power_of_choice
from fedcli.components.cohorts.uniform import uniform
from fedcli.core.factories import Registry

COHORTS: Registry = {
    "full": full,
    "uniform": uniform,
    "poisson": poisson,
    "capped-poisson": capped_poisson,
    "min-separation": min_separation,
    "power-of-choice": power_of_choice,
}

__all__ = [
    "COHORTS",
    "capped_poisson",
    "full",
    "min_separation",
    "poisson",
    "power_of_choice",
    "uniform",
    "whose_turn",
]
