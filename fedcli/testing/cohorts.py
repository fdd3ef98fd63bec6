"""Laws of cohorts, which say who takes part in a round."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from fedcli.core.contracts import Cohort
from fedcli.core.rounds import Report
from fedcli.core.seeds import SERVER, generator
from fedcli.core.types import Tree
from fedcli.testing.laws import described, law, same_state, written_and_read


def check_cohort(cohort: Cohort, *, num_clients: int = 12) -> None:
    """Check a cohort against the laws of fedcli's own cohorts, in ten rounds of clients with 1, 2, 3, ... examples.

    Args:
        cohort: the cohort.
        num_clients: size of the population.

    Raises:
        AssertionError: names the law that does not hold.
        ConfigError: if the cohort cannot be drawn from so many clients.
    """
    law(cohort.name, "a cohort has a name.")
    planned = cohort.expected_size(num_clients)
    law(
        0 < planned <= num_clients,
        f"{cohort.name}: its planned size lies between 0 and the {num_clients} clients; it is {planned}.",
    )
    if cohort.observes:
        law(
            cohort.sampling(num_clients).scheme == "chosen",
            f"{cohort.name}: a cohort that observes is declared as Sampling('chosen', ...), for which no accountant "
            f"is valid; it is declared as {cohort.sampling(num_clients).scheme!r}.",
        )
        law(
            cohort.separation == 1,
            f"{cohort.name}: a cohort that observes draws from everybody, so that its separation is 1; it is "
            f"{cohort.separation}.",
        )
    state = cohort.init(np.arange(num_clients) + 1)
    for round in range(1, 11):
        state = _check_round(cohort, state, round, num_clients)


def _check_round(cohort: Cohort, state: Tree, round: int, num_clients: int) -> Tree:
    # As on resume: the state comes from a file.
    kept = written_and_read(state, cohort.name)
    # The size of the largest group, if groups take turns.
    present = -(-num_clients // cohort.separation)
    clients, again = (
        cohort.sample(generator(7, round, SERVER, "cohort"), present, each) for each in (state, kept)
    )
    law(
        np.array_equal(clients, again),
        f"{cohort.name}: the same generator and the same state, also after a file, draw the same clients; they drew "
        f"{list(clients)} and {list(again)}.",
    )
    law(
        clients.dtype == np.int64 and clients.ndim == 1,
        f"{cohort.name}: a cohort is a vector of int64; it is {described(clients)}.",
    )
    law(
        all(0 <= client < present for client in clients) and all(a < b for a, b in pairwise(clients)),
        f"{cohort.name}: a cohort has distinct numbers of the {present} clients in ascending order; it is "
        f"{clients.tolist()}.",
    )
    sampling = cohort.sampling(num_clients)
    least = sampling.size if sampling.has_fixed_size else 0
    law(
        least <= len(clients) <= sampling.largest,
        f"{cohort.name}: a cohort has from {least} to {sampling.largest} clients, as its sampling declares; it has "
        f"{len(clients)}.",
    )
    if cohort.observe is None:
        return state
    # Every fourth client is lost.
    reports = [
        Report(client, client + 1, {"loss": 1.0 / (round + client)})
        if client % 4
        else Report(client, reason="dropped out")
        for client in clients.tolist()
    ]
    after = cohort.observe(reports, state)
    law(same_state(state, kept), f"{cohort.name}: it leaves the state that it is given unchanged.")
    law(
        same_state(after, cohort.observe(reports, kept)),
        f"{cohort.name}: the same reports and the same state, also after a file, give the same state.",
    )
    return after
