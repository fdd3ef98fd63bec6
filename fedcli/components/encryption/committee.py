"""Committee of a threshold key: the clients that generate the key, hold its shares and decrypt sums."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, final

import numpy as np

from fedcli.components.encryption.scheme import context_of
from fedcli.core.errors import RunError
from fedcli.core.seeds import SERVER, generator
from fedcli.crypto.bfv.attempts import Request
from fedcli.crypto.bfv.ciphertexts import Scheme
from fedcli.crypto.bfv.committee import MemberKey, PublicKey, deal, member_key, public_key
from fedcli.crypto.bfv.plans import Plan
from fedcli.crypto.bfv.threshold import Member
from fedcli.crypto.bfv.wire import fingerprint
from fedcli.crypto.workers import elsewhere, side_by_side


@dataclass(frozen=True)
class Presence:
    """Simulated presence of members when a sum is opened, derived from the seed.

    Args:
        root: the experiment's seed.
        outages: round -> members that are known to be away.
        dropout: probability that a member does not answer a request.
    """

    root: int
    outages: Mapping[int, frozenset[int]]
    dropout: float

    def away(self, round: int) -> frozenset[int]:
        """Members that are away in a round; the server knows them before it asks."""
        return self.outages.get(round, frozenset())

    def answers(self, round: int, attempt: int, member: int) -> bool:
        """Whether a member answers a request."""
        coin = generator(self.root, round, SERVER, f"committee:{attempt}:{member}")
        return not self.dropout or bool(coin.random() >= self.dropout)


@final
class Holder:
    """A client on the committee, with its share of the key and its memory of the sums that it opened.

    Args:
        key: the member's share; secret.
    """

    def __init__(self, key: MemberKey) -> None:
        # The lock, because two requests at once would both meet a member that has opened nothing yet.
        self._key, self._member, self._lock = key, Member(key), threading.Lock()

    @property
    def words(self) -> Any:
        """The member's share, shape [data primes, N]; secret."""
        return self._key.words

    def enter(self, run: str, round: int) -> None:
        """Enter a round, from whose number and run the member derives which sum it may open next.

        Raises:
            DecryptionError: if a later round was entered before.
        """
        with self._lock:
            self._member.expect(context_of(run, round), round)

    def answer(self, total: bytes, request: Request) -> bytes:
        """The member's part of the decryption, computed in a worker process.

        Raises:
            CiphertextError: if the bytes are not a sum under the committee's key.
            DecryptionError: if the member refuses the request, for instance a second sum in one context.
        """
        with self._lock:
            # The worker's copy of the member remembers this request, so it replaces ours before the answer leaves.
            self._member, answer = elsewhere(_answered, self._member, total, request)
            return answer


@final
class Committee:
    """The members of a run, numbered from 1, and the public key that they made.

    Args:
        public: the key that clients encrypt with.
        keys: the shares of all members.
    """

    def __init__(self, public: PublicKey, keys: Collection[MemberKey]) -> None:
        self.public = public
        self._holders = {key.index: Holder(key) for key in keys}

    def enter(self, run: str, round: int) -> None:
        """All members enter a round; as clients of the run they know it without being told by the server.

        Raises:
            DecryptionError: if a member has entered a later round.
        """
        for holder in self._holders.values():
            holder.enter(run, round)

    def answers(self, total: bytes, request: Request, members: Collection[int]) -> dict[int, bytes]:
        """The answers of these members, computed in parallel.

        Raises:
            CiphertextError: if the bytes are not a sum under the committee's key.
            DecryptionError: if a member refuses.
        """
        asked = sorted(members)
        answers = side_by_side(lambda member: self._holders[member].answer(total, request), asked)
        return dict(zip(asked, answers, strict=True))

    def kept(self) -> dict[str, Any]:
        """Keys and shares as a tree of arrays; secret."""
        shares = {str(member): holder.words for member, holder in self._holders.items()}
        return {"public": self.public.words, "shares": shares}


def make_key(plan: Plan) -> Committee:
    """A new committee: the members generate a key that none of them has, by exchanging bytes."""
    # Public: the polynomial that all parts of the key have in common is derived from it.
    seed = secrets.token_bytes(32)
    members = range(1, plan.members + 1)
    dealt = side_by_side(lambda member: elsewhere(deal, plan, member, seed), members)
    dealings = dict(zip(members, dealt, strict=True))
    commitments = {member: dealing.commitment for member, dealing in dealings.items()}
    # Only after all commitments are published: otherwise the last member could choose its part by the others'.
    openings = {member: dealing.opening for member, dealing in dealings.items()}
    public = public_key(plan, seed, commitments, openings)
    received = {m: {dealer: dealings[dealer].shares[m] for dealer in members} for m in members}
    return Committee(public, [member_key(public, m, seed, received[m]) for m in members])


def restore(plan: Plan, kept: Mapping[str, Any]) -> Committee:
    """The committee from its stored keys.

    Raises:
        RunError: if the keys do not fit the plan.
    """
    words = np.asarray(kept["public"])
    shares = {int(member): np.asarray(share) for member, share in kept["shares"].items()}
    shape = (len(plan.ring.data_primes), plan.degree)
    if (
        words.shape != (2, len(plan.ring.primes), plan.degree)
        or set(shares) != set(range(1, plan.members + 1))
        or any(share.shape != shape for share in shares.values())
    ):
        raise RunError("the kept keys do not belong to this run's encryption; restore secret/ of the run.")
    # Computed from the key and not stored: a key that was swapped would get another name.
    name = fingerprint("public key", plan, words.astype("<u8", copy=False).tobytes())
    public = PublicKey(Scheme(plan, name), words)
    return Committee(public, [MemberKey(public, member, share) for member, share in sorted(shares.items())])


def _answered(member: Member, total: bytes, request: Request) -> tuple[Member, bytes]:
    answer = member.partial(total, request)
    return member, answer
