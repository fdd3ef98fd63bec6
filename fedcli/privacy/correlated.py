"""DP-FTRL: noise of the server that is correlated over rounds, by a tree or by a banded matrix.

Both are one Gaussian mechanism over all rounds. Its sensitivity follows from how often a client takes part, and holds
although clients see the models of earlier rounds (Denisov et al. 2022, arXiv:2202.08312).
"""

from __future__ import annotations

import math

from fedcli.core.errors import ConfigError
from fedcli.core.privacy_events import BandedEvent, RelationName, TreeEvent
from fedcli.core.sampling_scheme import Sampling
from fedcli.privacy.accountant import accountants_of
from fedcli.privacy.composition import Composition, gaussian, in_turns, methods
from fedcli.privacy.mechanism import PrivacyMechanism


def tree(event: TreeEvent, sampling: Sampling) -> list[Composition]:
    """One Gaussian release of all nodes of all trees, whose curve has a closed form.

    Raises:
        ConfigError: for cohorts that are drawn at random.
    """
    if sampling.scheme not in ("full", "min-separation") or sampling.rate != 1:
        raise ConfigError(
            "tree aggregation counts a client's turns, and gains nothing from random cohorts; the cohort is "
            f"{sampling.scheme}"
            f"{'' if sampling.rate == 1 else f' with a rate of {sampling.rate:g}'}.",
            key="cohort",
            hint="Use a full cohort, or min-separation without a rate.",
        )

    # All rounds are one release, whose sensitivity grows with the number of rounds.
    def multiplier(releases: int) -> float:
        squared = tree_sensitivity_squared(
            releases, separation=sampling.separation, restart_every=event.restart_every
        )
        # 0 before the first round, when nothing is composed.
        return event.noise_multiplier / math.sqrt(max(squared, 1))

    relations: tuple[RelationName, ...] = ("zero-out", "replace-one")
    once = gaussian()
    return [Composition(each, methods(once), multiplier, once, lambda n: min(n, 1)) for each in relations]


def tree_sensitivity_squared(rounds: int, *, separation: int = 1, restart_every: int | None = None) -> int:
    """Bound on the squared sensitivity: the sum over all finished nodes of (turns of one client below the node)^2.

    A node is finished when all of its rounds are. A client has at most `ceil(rounds / separation)` turns, and
    at most `ceil(2^j / separation)` of them below a node of height j. At every height the bound assumes the
    most uneven spread of the turns that this allows. It is exact for one turn, and for a turn in every round.

    Args:
        rounds: rounds so far.
        separation: rounds from one turn of a client to its next.
        restart_every: rounds after which a new tree begins; None for one tree.

    Reference: Kairouz et al. 2021, arXiv:2103.00039, appendix D.
    """
    leaves = min(restart_every or rounds, rounds)
    if leaves == 0:
        return 0
    trees, left_over = divmod(rounds, leaves)
    turns, total = -(-rounds // separation), 0
    for height in range(leaves.bit_length()):
        nodes = trees * (leaves >> height) + (left_over >> height)
        most = -(-(2**height) // separation)
        filled = min(turns // most, nodes)
        rest = min(turns - filled * most, most) if filled < nodes else 0
        total += filled * most**2 + rest**2
    return total


def banded(event: BandedEvent, sampling: Sampling) -> list[Composition]:
    """One Gaussian release per turn of a client: columns that are `bands` rounds apart do not overlap.

    With a rate, every turn is a Poisson sample.

    Raises:
        ConfigError: for cohorts in which a client may take part again within `bands` rounds.
    """
    # If a client takes part again within `bands` rounds, its columns overlap, and their norms add up.
    if sampling.scheme != "min-separation" or sampling.separation < event.bands:
        received: str = sampling.scheme
        if sampling.scheme == "min-separation":
            received += f" of {sampling.separation}"
        raise ConfigError(
            f"noise that is correlated over {event.bands} rounds protects a client that waits as long; the cohort is "
            f"{received}.",
            key="cohort",
            hint=f"Use a min-separation cohort with a separation of at least {event.bands}.",
        )
    multiplier = event.noise_multiplier / event.column_norm
    return in_turns(lambda _n: multiplier, sampling)


def _tree_in_words(event: TreeEvent) -> str:
    again = f", begun again every {event.restart_every} rounds" if event.restart_every else ""
    return f"DP-FTRL: Gaussian noise (on a grid) on the nodes of a binary tree over rounds{again}"


TREE: PrivacyMechanism[TreeEvent] = PrivacyMechanism(
    accountants=lambda event, sampling: accountants_of(tree(event, sampling)), words=_tree_in_words
)

BANDED: PrivacyMechanism[BandedEvent] = PrivacyMechanism(
    accountants=lambda event, sampling: accountants_of(banded(event, sampling)),
    words=lambda event: (
        f"DP-FTRL: Gaussian noise (on a grid) correlated over {event.bands} rounds by a banded matrix"
    ),
)
