"""The committee of a threshold key: clients that make the key together, hold its shares, and answer or not."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, final

import numpy as np

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
    """Which members are there when a sum is to be opened: a simulation, from the seed.

    Args:
        root: the experiment's seed.
        outages: round -> members that are known to be away.
        dropout: probability that a member that is asked does not answer.
    """

    root: int
    outages: Mapping[int, frozenset[int]]
    dropout: float

    def away(self, round: int) -> frozenset[int]:
        """Members that are away, which the server knows before it asks."""
        return self.outages.get(round, frozenset())

    def answers(self, round: int, attempt: int, member: int) -> bool:
        """Whether a member that is asked answers."""
        coin = generator(self.root, round, SERVER, f"committee:{attempt}:{member}")
        return not self.dropout or bool(coin.random() >= self.dropout)


@final
class Holder:
    """A client on the committee, with its share of the key and its memory of what it opened.

    Args:
        key: its share; secret.
    """

    def __init__(self, key: MemberKey) -> None:
        self._key, self._member, self._lock = key, Member(key), threading.Lock()

    @property
    def words(self) -> Any:
        """Its share, shape [data primes, N]; secret."""
        return self._key.words

    def answer(self, total: bytes, request: Request) -> bytes:
        """Its part of the decryption, made in another process.

        Raises:
            CiphertextError: if the bytes are not a sum under the committee's key.
            DecryptionError: if the request is not one to be answered, such as a second sum in one context.
        """
        with self._lock:
            # The copy that worked remembers; what it made reaches nobody before that memory is back.
            self._member, answer = elsewhere(_answered, self._member, total, request)
            return answer


@final
class Committee:
    """The members of a run, numbered from 1, and the public key that they made.

    Args:
        public: the key that clients encrypt with.
        keys: of all members.
    """

    def __init__(self, public: PublicKey, keys: Collection[MemberKey]) -> None:
        self.public = public
        self._holders = {key.index: Holder(key) for key in keys}

    def answers(self, total: bytes, request: Request, members: Collection[int]) -> dict[int, bytes]:
        """What these members answer, worked out side by side.

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
    """Commit, then open: the members make a key that none of them has; they exchange bytes."""
    seed = secrets.token_bytes(32)
    members = range(1, plan.members + 1)
    dealt = side_by_side(lambda member: elsewhere(deal, plan, member, seed), members)
    dealings = dict(zip(members, dealt, strict=True))
    commitments = {member: dealing.commitment for member, dealing in dealings.items()}
    # Opened when every commitment is there.
    openings = {member: dealing.opening for member, dealing in dealings.items()}
    public = public_key(plan, seed, commitments, openings)
    received = {m: {dealer: dealings[dealer].shares[m] for dealer in members} for m in members}
    return Committee(public, [member_key(public, m, seed, received[m]) for m in members])


def restore(plan: Plan, kept: Mapping[str, Any]) -> Committee:
    """The committee from what it kept.

    Raises:
        RunError: if it is not of this plan.
    """
    words = np.asarray(kept["public"])
    shares = {int(member): np.asarray(share) for member, share in kept["shares"].items()}
    shape = (len(plan.ring.data_primes), plan.degree)
    if (
        words.shape != (2, len(plan.ring.primes), plan.degree)
        or set(shares) != set(range(1, plan.members + 1))
        or any(share.shape != shape for share in shares.values())
    ):
        raise RunError(
            "the keys that were kept are not of this run's encryption; restore secret/ of the run."
        )
    name = fingerprint("public key", plan, words.astype("<u8", copy=False).tobytes())
    public = PublicKey(Scheme(plan, name), words)
    return Committee(public, [MemberKey(public, member, share) for member, share in sorted(shares.items())])


def _answered(member: Member, total: bytes, request: Request) -> tuple[Member, bytes]:
    answer = member.partial(total, request)
    return member, answer
