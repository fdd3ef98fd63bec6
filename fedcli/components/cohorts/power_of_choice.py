"""Candidates drawn by their numbers of examples; of them, the clients with the largest losses."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from fedcli.components.cohorts.sampling import Clients
from fedcli.core.contracts import Cohort
from fedcli.core.errors import ConfigError
from fedcli.core.rounds import Report
from fedcli.core.sampling_scheme import Sampling
from fedcli.core.types import FIXED, Array, Tree


def power_of_choice(*, size: int, candidates: int) -> Cohort:
    """Of `candidates` clients, drawn by their numbers of examples, the `size` with the largest losses take part.

    Candidates are drawn without replacement, each with a probability proportional to its number of examples. The more
    candidates, the more the losses decide; with as many candidates as `size` they decide nothing.

    A client's loss is the mean over the examples of its last participation, which it reported with its update. It
    counts as infinite before that, so that clients that have not reported yet come first. Equal losses are ordered at
    random.

    Args:
        size: clients in a round, at least 1.
        candidates: clients to choose from, at least 1; at least `size` and at most the clients with examples.

    Raises:
        ConfigError: for a size or a number of candidates outside its range.

    Reference: Cho et al. 2020, arXiv:2010.01243, the variant rpow-d.

    Deviations: pow-d, the paper's main form, asks all candidates for the loss of the current model on their data before
    each round, and cpow-d for that on one batch. rpow-d costs no such work and no messages, but a loss may be many
    rounds old, and was measured while the client trained. A client whose update is never accepted keeps an infinite
    loss, and one that reports a false loss is chosen more often: the share of malicious clients in a cohort may be far
    above that in the population.

    Combines: the strategy `mean`, as in the paper, since candidates already are drawn by their examples. It is refused
    with privacy, and with asynchronous strategies.

    Example: size=5, candidates=10
    """
    if size < 1:
        raise ConfigError(f"a cohort has at least 1 client; received {size}.", key="size")
    if candidates < size:
        raise ConfigError(
            f"{size} clients cannot be chosen from {candidates} candidates.",
            key="candidates",
            hint=f"Use at least {size} candidates, better twice as many, or a smaller size.",
        )

    def init(num_examples: Array) -> Tree:
        has_examples = int(np.count_nonzero(num_examples))
        if has_examples < candidates:
            raise ConfigError(
                f"{candidates} candidates are drawn from the clients with examples; {has_examples} of "
                f"{len(num_examples)} clients have any.",
                key="candidates",
                hint=f"Use at most {has_examples} candidates, or a partition that gives every client examples.",
            )
        sizes = np.asarray(num_examples, np.int64)
        fixed = {"num_examples": sizes, "ends": _ends(sizes / sizes.sum())}
        return {FIXED: fixed, "clients": np.zeros(0, np.int64), "losses": np.zeros(0)}

    def sample(rng: np.random.Generator, _population: int, state: Tree) -> Clients:
        drawn = _draw_by_examples(rng, state[FIXED], candidates)
        # The order of the draw is not random: large clients tend to come first. Shuffled, equal losses are.
        shuffled = rng.permutation(drawn)
        largest_first = np.argsort(-_losses_of(shuffled, state), kind="stable")
        return np.sort(shuffled[largest_first[:size]]).astype(np.int64)

    def observe(reports: Sequence[Report], state: Tree) -> Tree:
        told = [(report.client, report.metrics.get("loss", math.nan)) for report in reports]
        # A loss that is not finite is ignored: the client's earlier loss still counts.
        new = {client: loss for client, loss in told if math.isfinite(loss)}
        clients, losses = _heard(state)
        reporting = np.fromiter(new, np.int64, len(new))
        stays = ~np.isin(clients, reporting)
        joined = np.concatenate([clients[stays], reporting])
        order = np.argsort(joined, kind="stable")
        all_losses = np.concatenate([losses[stays], np.fromiter(new.values(), np.float64, len(new))])
        return {FIXED: state[FIXED], "clients": joined[order], "losses": all_losses[order]}

    def sampling(population: int) -> Sampling:
        if candidates > population:
            raise ConfigError(
                f"{candidates} candidates cannot be drawn from {population} clients.",
                key="candidates",
                hint=f"Use at most {population} candidates, or more clients in data.partition.",
            )
        return Sampling("chosen", population, size=size)

    return Cohort(
        name="power-of-choice",
        sample=sample,
        # Through `sampling`, which refuses more candidates than there are clients.
        expected_size=lambda population: float(sampling(population).size),
        sampling=sampling,
        init=init,
        observe=observe,
    )


def _heard(state: Tree) -> tuple[Clients, Array]:
    """The clients that reported a loss, ascending, and their losses."""
    if "loss" not in state:
        return state["clients"], state["losses"]
    # A checkpoint of an earlier version has a loss of everybody.
    clients = np.flatnonzero(np.isfinite(state["loss"]))
    return clients, state["loss"][clients]


def _losses_of(clients: Clients, state: Tree) -> Array:
    """The losses of these clients, infinite of those that reported none."""
    known, losses = _heard(state)
    places = np.searchsorted(known, clients)
    # One more for clients after the last that is known.
    is_known = np.append(known, -1)[places] == clients
    return np.where(is_known, np.append(losses, np.inf)[places], np.inf)


def _ends(shares: Array) -> Array:
    ends: Array = np.cumsum(shares)
    ends /= ends[-1]
    return ends


def _draw_by_examples(rng: np.random.Generator, fixed: Tree, count: int) -> Clients:
    """So many different clients, each drawn with a probability proportional to its number of examples.

    The draws are those of `rng.choice` with `p` and without `replace`, which passes over all clients every time.
    """
    found, ends = np.zeros(0, np.int64), fixed["ends"]
    while True:
        drawn = ends.searchsorted(rng.random(count - found.size), side="right")
        _, first = np.unique(drawn, return_index=True)
        found = np.concatenate([found, drawn[np.sort(first)]])
        if found.size == count:
            return found
        # Of clients that were drawn twice, others take the second place.
        shares = fixed["num_examples"] / fixed["num_examples"].sum()
        shares[found] = 0
        ends = _ends(shares)
