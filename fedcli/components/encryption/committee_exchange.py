"""Exchange of ciphertexts that a committee decrypts.

The server asks one active set after another, until all members of a set answer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, final

import numpy as np

from fedcli.components.encryption import costs
from fedcli.components.encryption.ciphertext_exchange import CiphertextExchange, CiphertextSender
from fedcli.components.encryption.ciphertext_server import AddingServer, label
from fedcli.components.encryption.committee import Committee, Presence
from fedcli.components.encryption.scheme import context_of
from fedcli.core.errors import VoidRoundError
from fedcli.core.figures import Tally
from fedcli.core.seeds import SERVER, generator
from fedcli.core.vectors import Integers
from fedcli.crypto.bfv.attempts import Request
from fedcli.crypto.bfv.committee import PublicKey
from fedcli.crypto.bfv.plans import ATTEMPTS
from fedcli.crypto.bfv.threshold import encrypt, fuse


@final
class ThresholdServer:
    """The server's side: it adds, announces active sets, and combines the members' answers.

    Args:
        public: the committee's public key.
        adding: the object in which ciphertexts are added.
        context: identifies the run and the round.
    """

    def __init__(self, public: PublicKey, adding: AddingServer, context: bytes) -> None:
        self.adding = adding
        self._public, self._context = public, context

    def announce(self, attempt: int, there: Sequence[int], *, rng: np.random.Generator) -> Request:
        """An active set, as large as the threshold, drawn from the members that are believed to be present.

        Raises:
            VoidRoundError: if too few members are present.
        """
        plan = self._public.scheme.plan
        if len(there) < plan.threshold:
            raise VoidRoundError(
                f"{len(there)} of the committee's {plan.members} members are left, but {plan.threshold} are needed: "
                "the sum is not decryptable"
            )
        # Exactly the threshold: the members multiply by Lagrange factors, which belong to one set.
        active = sorted(rng.choice(list(there), plan.threshold, replace=False).tolist())
        return Request(self._context, attempt, tuple(active))

    def fuse(self, total: bytes, request: Request, answers: Mapping[int, bytes]) -> Integers:
        """The sum, from the answers of a complete active set."""
        return fuse(total, self._public, request, answers)


@final
class CommitteeKeys:
    """The committee's keys of a run.

    Args:
        committee: the members with their shares of the key.
        presence: simulates which members answer.
    """

    def __init__(self, committee: Committee, presence: Presence) -> None:
        self._committee, self._presence = committee, presence

    def begin(self, round: int, cohort: Sequence[int], *, run: str, size: int) -> CiphertextExchange:
        """See `scheme.Keys`."""
        context = context_of(run, round)
        self._committee.enter(run, round)
        public, tally = self._committee.public, costs.new_tally(costs.MEMBERS_LOST)
        adding = AddingServer(public.scheme, cohort=cohort, context=context, size=size)
        server = ThresholdServer(public, adding, context)
        return CiphertextExchange(
            server,
            adding=adding,
            sender=lambda client: CiphertextSender(encrypt, public, label(public.scheme, context, client)),
            opening=partial(_opened, server, self._committee, self._presence, round, tally),
            tally=tally,
        )

    def kept(self) -> Mapping[str, Any]:
        """See `scheme.Keys`."""
        return self._committee.kept()


def _opened(
    server: ThresholdServer, committee: Committee, presence: Presence, round: int, tally: Tally
) -> Integers:
    """The sum, from the first active set of which all members answer.

    Raises:
        VoidRoundError: if three sets fail, or too few members are left.
    """
    total, away = server.adding.total(), presence.away(round)
    tally.add(costs.MEMBERS_LOST, len(away))
    members = range(1, committee.public.scheme.plan.members + 1)
    # Members refuse more attempts, because their smudging noise hides only so many answers about one sum.
    for attempt in range(ATTEMPTS):
        there = [member for member in members if member not in away]
        # From the seed: who is asked is public, and a repeated round asks the same members.
        rng = generator(presence.root, round, SERVER, f"active set:{attempt}")
        request = server.announce(attempt, there, rng=rng)
        tally.add(costs.ATTEMPTS, 1)
        silent = {m for m in request.active if not presence.answers(round, attempt, m)}
        # Members cannot know who will be silent, so that a set that fails costs work and bytes too.
        answers = committee.answers(total, request, set(request.active) - silent)
        tally.add(costs.BYTES_OPENING, sum(map(len, answers.values())))
        if not silent:
            return server.fuse(total, request, answers)
        tally.add(costs.MEMBERS_LOST, len(silent))
        away |= silent
    raise VoidRoundError(
        f"{ATTEMPTS} active sets were asked, and in each of them a member did not answer; {len(away)} of the "
        f"committee's {len(members)} members are lost: the sum is not decryptable"
    )
