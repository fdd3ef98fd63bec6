"""Encryption of sums by pairwise masks, with fresh keys in each round."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, final

from fedcli.components.encryption import disclosure
from fedcli.components.encryption.masked_exchange import ClosedExchange, masked_exchange
from fedcli.components.encryption.masked_server import LEAST_PARTIES
from fedcli.components.encryption.planning import SECURITY_BITS, planned, require_summands, tail
from fedcli.components.encryption.reasons import middle
from fedcli.components.encryption.scheme import Encryption, Sight, Sums, context_of
from fedcli.core.errors import ConfigError
from fedcli.core.exchange import Collusion, Exchange
from fedcli.crypto.bfv.wire import ENVELOPE_BYTES
from fedcli.crypto.masking.graph import MaskPlan, plan_masking
from fedcli.crypto.masking.masking import key_bytes

STATISTICAL_BITS = 40
"""The probability that a client is exposed or a sum cannot be opened is below 2^-40; see `crypto.masking.graph`."""


def secagg(sums: Sums, *, dropped: float = 0.2, corrupt: float = 0.2) -> Encryption:
    """Masks between pairs of clients cancel in the sum; keys are fresh in each round, and no key opens all updates.

    The parties are the clients of a round's cohort. All of them advertise keys and share their seeds before they train.
    Clients whose updates do not arrive, or are rejected, count as lost: their neighbours reveal the keys that remove
    their masks. If more clients are lost than planned, the round is void.

    Args:
        sums: the sums to encrypt.
        dropped: share of a cohort that may be lost, in [0, 1).
        corrupt: share of a cohort that may collude with the server, in [0, 1); rounded up to a number of at least 1.

    Raises:
        ConfigError: if no graph of masks is safe enough, or sums do not fit.

    Reference: Bell et al. 2020, ePrint 2020/704 (SecAgg+).

    Deviations: semi-honest and unaudited; all roles run in one simulation.

    Needs: fixed_point={'clip_norm': 10.0, 'max_examples': 100}
    """
    require_summands(sums, LEAST_PARTIES, "With two clients, each would learn the other's update.")
    # A cohort may differ in size from round to round, and the graph of masks depends on the size.
    plan_of = partial(_plan, sums, dropped, corrupt)
    largest = planned(lambda: plan_of(sums.most_summands), "dropped", "corrupt")
    return Encryption(
        "secagg",
        figures={**_figures(largest), **tail(sums)},
        coded_bytes=lambda size: ENVELOPE_BYTES + size * largest.modulus_bits // 8,
        min_clients=LEAST_PARTIES,
        sees=_sees(largest),
        assumes=f"at most {largest.most_corrupt} of {largest.num_parties} clients collude with the server (fewer than "
        f"{largest.threshold} of each client's {largest.num_neighbours} neighbours), and everybody follows the "
        "protocol",
        collusion=lambda num_parties: _collusion(plan_of(num_parties)),
        # Every round makes new keys, so that a resumed run needs none.
        keeps_keys=False,
        opened_by="server",
        start=lambda _kept: FreshKeys(plan_of),
        most_lost=lambda num_parties: plan_of(num_parties).most_dropped,
    )


def _plan(sums: Sums, dropped: float, corrupt: float, num_parties: int) -> MaskPlan:
    return plan_masking(
        num_parties, bits=sums.bits, noise_tail=sums.noise_tail, dropped=dropped, corrupt=corrupt
    )


def _collusion(plan: MaskPlan) -> Collusion:
    # In a sparse graph more colluders than planned may cut the honest clients into groups, whose sums are then seen.
    is_complete = plan.num_neighbours == plan.num_parties - 1
    return Collusion(plan.most_corrupt, plan.threshold - 1 if is_complete else plan.most_corrupt)


def _figures(plan: MaskPlan) -> Mapping[str, Any]:
    """The figures of the largest cohort's plan for display, as JSON values."""
    return {
        "parties": plan.num_parties,
        "neighbours": plan.num_neighbours,
        "threshold": plan.threshold,
        "most_dropped": plan.most_dropped,
        "most_corrupt": plan.most_corrupt,
        "modulus_bits": plan.modulus_bits,
        "security_bits": SECURITY_BITS,
        "statistical_bits": STATISTICAL_BITS,
        "most_summands": plan.num_parties,
        "largest_sum": plan.largest_sum,
        "bytes_per_parameter": plan.bytes_per_value,
        "bytes_of_keys": key_bytes(plan),
    }


def _sees(plan: MaskPlan) -> tuple[Sight, ...]:
    return (
        Sight(
            "server",
            "masked values of each client; the exact sum; which clients mask with each other; one of two seeds of "
            "each client, that of its own mask if its update arrived, else that of the masks with its neighbours",
        ),
        disclosure.IN_THE_CLEAR,
        disclosure.CLIENT,
        Sight(
            "a client's neighbours",
            "its public keys, shares of its seeds, and whether its update arrived; not the sum",
        ),
        Sight(
            f"up to {plan.most_corrupt} of {plan.num_parties} clients that collude with the server",
            f"the sum of the other clients; no single update, except with a probability of 2^-{STATISTICAL_BITS}",
        ),
        Sight(
            f"{plan.threshold} or more neighbours of a client that collude with the server",
            "that client's update",
        ),
        disclosure.DIFFERENCE,
        disclosure.DISHONEST,
        disclosure.SIMULATED,
    )


@final
class FreshKeys:
    """Fresh keys and seeds for each round; nothing is kept.

    Args:
        plan_of: number of parties -> the plan of such a round.
    """

    def __init__(self, plan_of: Callable[[int], MaskPlan]) -> None:
        self._plan_of = plan_of

    def begin(self, round: int, cohort: Sequence[int], *, run: str, size: int) -> Exchange:
        """See `scheme.Keys`."""
        try:
            plan = self._plan_of(len(cohort))
        except ConfigError as error:
            # The drawn cohort is too small: this round is void, and the run goes on.
            return ClosedExchange(middle(error))
        return masked_exchange(plan, cohort, context=context_of(run, round), size=size)

    def kept(self) -> Mapping[str, Any]:
        """See `scheme.Keys`."""
        return {}
