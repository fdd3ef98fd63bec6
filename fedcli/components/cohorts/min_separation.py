"""Groups of clients that take turns."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from fedcli.components.cohorts.sampling import Clients, by_coins, require_rate
from fedcli.core.contracts import Cohort
from fedcli.core.errors import ConfigError
from fedcli.core.sampling_scheme import Sampling
from fedcli.core.seeds import SERVER, generator


def min_separation(*, separation: int, rate: float = 1.0) -> Cohort:
    """Clients are in groups that take turns, so that a client waits `separation` rounds for its next turn.

    The seed deals the clients out to `separation` groups, whose sizes differ by one at most. With a rate, each client
    of the group whose turn it is takes part by its own coin.

    Args:
        separation: groups, at least 1 and at most the population; 1 is every client in every round.
        rate: probability that a client takes part in its turn, in (0, 1].

    Reference: Choquette-Choo et al. 2023, arXiv:2306.08153, Section 3.

    Example: separation=4
    """
    if separation < 1:
        raise ConfigError(f"separation is at least 1 round; received {separation}.", key="separation")
    require_rate(rate)

    def sampling(population: int) -> Sampling:
        if separation > population:
            raise ConfigError(
                f"each of {separation} groups has at least one client; the federation has {population}.",
                key="separation",
                hint=f"Use a separation of at most {population}, or more clients in data.partition.",
            )
        return Sampling("min-separation", population, rate=rate, separation=separation)

    return Cohort(
        name="min-separation",
        sample=lambda rng, members, _state: by_coins(rng, members, rate),
        expected_size=lambda population: rate * population / separation,
        sampling=sampling,
        separation=separation,
    )


def whose_turn(cohort: Cohort, round: int, *, num_clients: int, root: int) -> Clients:
    """The clients from whom a round's cohort is drawn, ascending: all of them, or the group whose turn it is."""
    if cohort.separation == 1:
        return np.arange(num_clients, dtype=np.int64)
    clients, ends = _dealt(num_clients, root, cohort.separation)
    group = (round - 1) % cohort.separation
    return clients[ends[group] : ends[group + 1]]


# Kept: a permutation of a million clients takes longer than a small round, and so does sorting a large group.
@lru_cache(maxsize=1)
def _dealt(num_clients: int, root: int, separation: int) -> tuple[Clients, Clients]:
    """The clients group after group, each ascending, int64 [K], read-only, and where the groups begin and end."""
    # The seed of round 0, so that the groups are the same for the whole run.
    order = generator(root, 0, SERVER, "cohort groups").permutation(num_clients)
    groups = np.empty(num_clients, np.int64)
    groups[order] = np.arange(num_clients) % separation
    clients = np.argsort(groups, kind="stable")
    clients.flags.writeable = False
    return clients, np.searchsorted(groups[clients], np.arange(separation + 1))
