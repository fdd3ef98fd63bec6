"""The order of transforms: the strategy's own, compression, integers, commitments, encryption, proofs, arrival."""

from __future__ import annotations

from typing import NamedTuple

from fedcli.components.encryption.scheme import Encryption
from fedcli.components.proofs.norm_bound import Proofs
from fedcli.components.transforms import arrival
from fedcli.config import Experiment
from fedcli.core.contracts import Strategy
from fedcli.core.transform import Transform
from fedcli.experiment.compose import strategy_from
from fedcli.experiment.make import make
from fedcli.experiment.protection.encryption import check_encryptable, encrypted
from fedcli.experiment.protection.fixed_point import grid_of, on_grid
from fedcli.experiment.protection.proofs import with_commitments, with_proofs


class Summed(NamedTuple):
    """A strategy before encryption, which must be planned for the sums of its vectors.

    Args:
        strategy: with compression, the integer grid and commitments.
        proofs: the proofs to add after encryption; None without proofs.
    """

    strategy: Strategy
    proofs: Proofs | None


def recipe(experiment: Experiment) -> Strategy:
    """The strategy of the config, without other sections.

    Raises:
        ConfigError: with the key of a value that cannot be used.
    """
    return strategy_from(experiment.strategy)


def summed(strategy: Strategy, experiment: Experiment) -> Summed:
    """First half of the order: the strategy's own transforms, compression, the integer grid, commitments.

    Raises:
        ConfigError: with the key of a value that cannot be used.
    """
    check_encryptable(strategy, experiment)
    if experiment.compression is not None:
        smaller = make("compression", experiment.compression, kind=Transform)
        strategy = strategy._replace(transforms=(*strategy.transforms, smaller))
    return Summed(*with_commitments(on_grid(strategy, experiment), experiment))


def sent(inner: Summed, encryption: Encryption | None) -> Strategy:
    """Second half of the order: encryption, proofs of what is sent, and the server's check on arrival."""
    strategy = with_proofs(encrypted(inner.strategy, encryption), inner.proofs)
    given = strategy.transforms[-1].gives if strategy.transforms else "vector"
    check = arrival(
        given,
        weighting=strategy.weighting if given == "vector" and grid_of(strategy) is None else None,
        takes_statistics=strategy.privacy_event is None,
    )
    return strategy._replace(transforms=(*strategy.transforms, check))


def in_the_clear(experiment: Experiment) -> Strategy:
    """The strategy with all transforms except encryption, for inspection: planning an encryption takes seconds.

    Raises:
        ConfigError: with the key of a value that cannot be used.
    """
    return sent(summed(recipe(experiment), experiment), None)
