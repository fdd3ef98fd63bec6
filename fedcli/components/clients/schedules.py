"""How the clients' learning rate moves over the rounds: a factor of the optimizer's rate."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from fedcli.core.errors import ConfigError, require_share
from fedcli.core.factories import Registry

Schedule = Callable[[int, int], float]
"""`(round counted from 1, planned rounds)` -> factor."""


def constant() -> Schedule:
    """The same learning rate in every round."""
    return lambda _round, _rounds: 1.0


def exponential(*, decay: float = 0.99) -> Schedule:
    """decay^(round - 1).

    Args:
        decay: factor from one round to the next, in (0, 1].
    """
    if not 0 < decay <= 1:
        raise ConfigError(f"decay lies in (0, 1]; received {decay}.", key="decay")
    return lambda round, _rounds: decay ** (round - 1)


def step(*, milestones: Sequence[int], factor: float = 0.1) -> Schedule:
    """Times `factor` from each milestone on.

    Args:
        milestones: rounds at which the rate drops.
        factor: factor of each drop, above 0.
    """
    if not factor > 0:
        raise ConfigError(f"factor is a number above 0; received {factor}.", key="factor")
    return lambda round, _rounds: factor ** sum(round >= milestone for milestone in milestones)


def cosine(*, final: float = 0.0) -> Schedule:
    """From 1 towards `final` along half a cosine, which it would reach in the round after the last.

    Args:
        final: factor of the last round, in [0, 1).

    Reference: Loshchilov and Hutter 2017, arXiv:1608.03983, without restarts.
    """
    require_share("final", final)

    def factor(round: int, rounds: int) -> float:
        progress = (round - 1) / rounds
        return final + (1 - final) * 0.5 * (1 + math.cos(math.pi * progress))

    return factor


def warmup(*, rounds: int = 5) -> Schedule:
    """Rises in equal steps to 1 over the first rounds.

    Args:
        rounds: number of rounds below the full rate, at least 1.
    """
    if rounds < 1:
        raise ConfigError(f"a warm-up lasts at least 1 round; received {rounds}.", key="rounds")
    return lambda round, _planned: min(1.0, round / rounds)


SCHEDULES: Registry = {
    "constant": constant,
    "exponential": exponential,
    "step": step,
    "cosine": cosine,
    "warmup": warmup,
}
