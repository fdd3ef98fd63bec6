"""Encryption of sums under a committee's key; a threshold of its members opens a sum together."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from fedcli.components.encryption import disclosure
from fedcli.components.encryption.ciphertext_server import sent_bytes
from fedcli.components.encryption.committee import Presence, make_key, restore
from fedcli.components.encryption.committee_exchange import CommitteeKeys
from fedcli.components.encryption.costs import COLUMNS, OF_COMMITTEES
from fedcli.components.encryption.planning import figures, planned, require_summands
from fedcli.components.encryption.scheme import Encryption, Keys, Sight, Sums
from fedcli.core.errors import ConfigError, require_share
from fedcli.core.exchange import Collusion
from fedcli.core.seeds import SERVER, generator
from fedcli.crypto.bfv.plans import ATTEMPTS, MOST_MEMBERS, MOST_VALUES, Plan, plan_threshold

# A sum of one update is that update.
LEAST_SUMMANDS = 2


def threshold(
    sums: Sums,
    *,
    committee: int,
    threshold: int,
    dropout: float = 0.0,
    outages: Mapping[str, Sequence[int]] | None = None,
    keep_keys: bool = False,
    allow_split: bool = False,
) -> Encryption:
    """A committee of clients holds shares of the key; any `threshold` of them open a sum, fewer learn nothing.

    The committee is drawn from the population by the seed. The server adds ciphertexts and announces an active set of
    exactly `threshold` members. If one of them does not answer, it announces another set, at most three in a round.
    After three sets, or with fewer members left than the threshold, the round is void.

    Args:
        sums: the sums to encrypt.
        committee: number of clients that hold a share, 2 to 30, numbered from 1 in the order of their client numbers.
        threshold: number of members that open a sum, at least 2; more than half of the committee.
        dropout: probability that a member does not answer a request, in [0, 1), decided by the seed for every
            round, attempt and member.
        outages: members that are known to be away in a round, such as `{"3": [1, 2]}` for round 3.
        keep_keys: write keys and shares to `secret/` of the run directory; otherwise a resumed run makes new
            ones. The model is the same to the bit. Members do not store which sums they opened: an interrupted
            round can be opened again.
        allow_split: allow a threshold of at most half of the committee, for simulations. Two groups of members
            without a common member can then open two sums of one round, whose difference may be one client's
            update.

    Raises:
        ConfigError: if no parameters are large enough for the sums, the committee is larger than the population, the
            threshold is no majority, or the package tenseal is missing.

    Reference: Mouchet et al. 2021, ePrint 2020/304; Fan and Vercauteren 2012, ePrint 2012/144.

    Deviations: Shamir's sharing of the key among a committee; semi-honest and unaudited; all roles run in one
    simulation.

    Example: committee=3, threshold=2

    Needs: fixed_point={'clip_norm': 10.0, 'max_examples': 100}
    """
    require_summands(sums, LEAST_SUMMANDS, "A sum of one client would be its update.")
    _check_committee(sums, committee, threshold)
    splits = 2 * threshold <= committee
    if splits and not allow_split:
        raise ConfigError(
            f"{threshold} of {committee} members is no majority: two groups of members without a common member could "
            "open two sums of one round, and their difference may be one client's update.",
            key="threshold",
            hint=f"Use threshold: {committee // 2 + 1} or more, or allow_split: true in a simulation.",
        )
    require_share("dropout", dropout)
    presence = Presence(sums.root, _by_round(outages or {}, committee), dropout)
    plan = planned(
        lambda: plan_threshold(
            sums.most_summands,
            members=committee,
            threshold=threshold,
            bits=sums.bits,
            noise_tail=sums.noise_tail,
            num_sums=sums.rounds,
        )
    )
    clients = draw_committee(sums, committee)
    return Encryption(
        "threshold",
        figures={
            **figures(plan, sums),
            "committee": committee,
            "threshold": threshold,
            "members": list(clients),
            "smudging_bits": plan.smudging_bits,
            "planned_rounds": sums.rounds,
            "planned_attempts": ATTEMPTS,
            "planned_values": MOST_VALUES,
            "distance_bits": math.floor(plan.distance_bits),
        },
        coded_bytes=partial(sent_bytes, plan),
        min_clients=LEAST_SUMMANDS,
        sees=(*_sees(committee, threshold), *(_SPLIT if splits else ()), *disclosure.kept_keys(keep_keys)),
        assumes=f"fewer than {threshold} of the committee's {committee} members collude with the server, and "
        "everybody follows the protocol",
        collusion=partial(_collusion, committee, threshold),
        keeps_keys=keep_keys,
        # Members see an encrypted sum only, so the server can add central noise before any client sees the result.
        opened_by="server",
        start=partial(_start, plan, presence),
        columns=(*COLUMNS, OF_COMMITTEES),
        warnings=(_warning(committee, threshold),) if splits else (),
    )


_SPLIT = (
    Sight(
        "two groups of members without a common member, asked by a server that does not follow the protocol",
        "two sums of one round, whose difference may be one client's update; a majority as threshold prevents that",
    ),
)


def _warning(committee: int, threshold: int) -> str:
    return (
        f"encryption.allow_split: {threshold} of {committee} members is no majority, so that two groups of members can "
        f"open two sums of one round, whose difference may be one client's update. For simulations only; a threshold "
        f"of {committee // 2 + 1} prevents it."
    )


def _collusion(committee: int, threshold: int, cohort: int) -> Collusion:
    # The committee is drawn by lot. If fewer than `threshold` of its members collude, about the same share of all
    # clients is to be expected to; who is not on it may collude without opening anything. But the members are public:
    # who chooses its colluders needs no more of them than the threshold.
    return Collusion(
        planned=(threshold - 1) * cohort // committee,
        most=min(cohort, threshold - 1),
        condition=f"of whom fewer than {threshold} are among the committee's {committee} members",
    )


def draw_committee(sums: Sums, committee: int) -> tuple[int, ...]:
    """The clients on the committee, ascending; member j is the j-th."""
    # From the seed: who is on the committee is public, and a resumed run has the same committee.
    rng = generator(sums.root, 0, SERVER, "committee")
    return tuple(sorted(rng.choice(sums.num_clients, committee, replace=False).tolist()))


def _check_committee(sums: Sums, committee: int, threshold: int) -> None:
    if not 2 <= committee <= MOST_MEMBERS:
        raise ConfigError(
            f"a committee has 2 to {MOST_MEMBERS} members; received {committee}.", key="committee"
        )
    if committee > sums.num_clients:
        raise ConfigError(
            f"a committee of {committee} cannot be drawn from {sums.num_clients} clients.",
            key="committee",
            hint=f"Use a committee of at most {sums.num_clients}.",
        )
    if not 2 <= threshold <= committee:
        raise ConfigError(
            f"threshold must lie between 2 and the size of the committee, {committee}; received {threshold}.",
            key="threshold",
            hint="With a threshold of 1 every member could open single updates alone.",
        )


def _by_round(outages: Mapping[str, Sequence[int]], committee: int) -> dict[int, frozenset[int]]:
    rounds = {}
    for round, members in outages.items():
        if not str(round).isdecimal() or int(round) < 1:
            raise ConfigError(
                f"the keys of outages are rounds, counted from 1; received {round}.",
                key="outages",
                hint='Write {"3": [1, 2]} if members 1 and 2 are away in round 3.',
            )
        strangers = sorted(set(members) - set(range(1, committee + 1)))
        if strangers:
            raise ConfigError(
                f"members are numbered from 1 to {committee}; the outage of round {round} names {strangers}.",
                key="outages",
            )
        rounds[int(round)] = frozenset(members)
    return rounds


def _sees(committee: int, threshold: int) -> tuple[Sight, ...]:
    return (
        Sight("server", f"a ciphertext of each client; answers of {threshold} members; the exact sum"),
        disclosure.IN_THE_CLEAR,
        disclosure.CLIENT,
        Sight(
            "each committee member",
            "its share of the key; the encrypted sum of each round that it helps to open, and how many clients are "
            "in it",
        ),
        Sight(
            f"up to {threshold - 1} of the {committee} committee members together",
            "no update and no sum; if they collude with the server, nothing beyond the sum that it sees",
        ),
        Sight(
            f"{threshold} or more of the {committee} committee members that collude with the server",
            "every update of every round: they have the key and the ciphertexts",
        ),
        disclosure.DIFFERENCE,
        disclosure.DISHONEST,
        disclosure.SIMULATED,
    )


def _start(plan: Plan, presence: Presence, kept: Mapping[str, Any] | None) -> Keys:
    return CommitteeKeys(make_key(plan) if kept is None else restore(plan, kept), presence)
