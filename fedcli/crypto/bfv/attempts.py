"""Which members are asked to open a sum, and what makes a second attempt safe.

If a member is lost after the active set is announced, the factors are wrong and another set must be announced. A
member would then answer twice for the same c_1, and the answers' noise would average out. So every attempt adds an
encryption of zero that is derived from hash(context, attempt, active set) and that everybody recomputes; at most
three attempts are made, with fresh smudging. That zero hides nothing, so it is u (b, a) with a ternary u and no noise
of its own. Members add u a to c_1 in the NTT domain, where they multiply by their share; who fuses decrypts
(c_0 + answers, u) with b in the place of a key, which adds u b.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from fedcli.crypto.bfv.committee import PublicKey
from fedcli.crypto.bfv.errors import DecryptionError
from fedcli.crypto.bfv.seal import Words
from fedcli.crypto.bfv.wire import fingerprint

ATTEMPTS = 3
"""How often a sum may be tried to open, each time by another active set."""

B, A = 0, 1
"""The halves of a public key."""


@dataclass(frozen=True)
class Request:
    """Who is asked to open which sum.

    Args:
        context: names the sum; never used for another one.
        attempt: from 0, below `ATTEMPTS`.
        active: numbers of the members that are asked, exactly the threshold.
    """

    context: bytes
    attempt: int
    active: tuple[int, ...]


def check(request: Request, public: PublicKey) -> None:
    """Refuse a request that no member may answer.

    Raises:
        DecryptionError: if it names too many attempts, or no active set of exactly the threshold.
    """
    plan = public.scheme.plan
    if not 0 <= request.attempt < ATTEMPTS:
        raise DecryptionError(
            f"a sum is tried to open {ATTEMPTS} times at most; attempt {request.attempt} was asked for."
        )
    active = set(request.active)
    if len(active) != len(request.active) or not active <= set(range(1, plan.members + 1)):
        raise DecryptionError(f"an active set names different members; received {list(request.active)}.")
    if len(active) != plan.threshold:
        raise DecryptionError(
            f"{plan.threshold} of {plan.members} members open a sum; the active set has {len(active)}."
        )


def factors(public: PublicKey, request: Request, count: int) -> Iterator[Words]:
    """The u of this attempt's encryptions of zero (u b, u a), each of shape [data primes, N]."""
    ring = public.scheme.plan.ring
    seed = fingerprint("zero", public.scheme.fingerprint, request)
    # By the difference of two bits: -1, 0, 0, 1.
    values = np.array([[0, prime - 1, 1, 0] for prime in ring.data_primes], np.uint64)
    for row in range(count):
        stream = hashlib.shake_256(seed + row.to_bytes(8, "little")).digest(ring.degree // 4)
        bits = np.unpackbits(np.frombuffer(stream, np.uint8)).reshape(2, ring.degree)
        yield np.take(values, 2 * bits[0] + bits[1], axis=1)
