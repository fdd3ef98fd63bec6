"""Requests to decrypt a sum, and the encryptions of zero that make a second attempt safe.

If a member is lost after the active set is announced, the Lagrange factors are wrong and another set must be
announced. A member would then answer twice for the same c_1, and averaging the answers would remove their noise.
Therefore every attempt adds another encryption of zero to the sum. It is derived from hash(context, attempt, active
set), so that everybody can recompute it. At most three attempts are made, each with fresh smudging.

The zero is public and need not hide anything, so it is u (b, a) with a ternary u, without added noise. Members add u a
to c_1 in the NTT domain, where they also multiply by their share. The server then decrypts (c_0 + answers, u) with b in
place of a secret key, which adds u b.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from fedcli.crypto.bfv.committee import PublicKey
from fedcli.crypto.bfv.errors import DecryptionError
from fedcli.crypto.bfv.plans import ATTEMPTS
from fedcli.crypto.bfv.seal import Words
from fedcli.crypto.bfv.wire import fingerprint

B, A = 0, 1
"""Indices of the two polynomials of a public key."""


@dataclass(frozen=True)
class Request:
    """The members that are asked to decrypt a sum.

    Args:
        context: identifies the sum; used for this sum only.
        attempt: from 0, below `ATTEMPTS`.
        active: numbers of the members that are asked, exactly as many as the threshold.
    """

    context: bytes
    attempt: int
    active: tuple[int, ...]


def check(request: Request, public: PublicKey) -> None:
    """Refuse a request that no member may answer.

    Raises:
        DecryptionError: if the attempt is out of range, or the active set is not as large as the threshold.
    """
    plan = public.scheme.plan
    if not 0 <= request.attempt < ATTEMPTS:
        raise DecryptionError(
            f"decryption of a sum is attempted {ATTEMPTS} times at most; attempt {request.attempt} was requested."
        )
    active = set(request.active)
    if len(active) != len(request.active) or not active <= set(range(1, plan.members + 1)):
        raise DecryptionError(
            f"an active set holds distinct members from 1 to {plan.members}; received {list(request.active)}."
        )
    if len(active) != plan.threshold:
        raise DecryptionError(
            f"{plan.threshold} of {plan.members} members decrypt a sum together; the active set has {len(active)}."
        )


def factors(public: PublicKey, request: Request, count: int) -> Iterator[Words]:
    """The u of this attempt's encryptions of zero (u b, u a), each of shape [data primes, N]."""
    ring = public.scheme.plan.ring
    seed = fingerprint("zero", public.scheme.fingerprint, request)
    # Indexed by two random bits: 0, -1, 1, 0 modulo each prime, so that u is ternary.
    values = np.array([[0, prime - 1, 1, 0] for prime in ring.data_primes], np.uint64)
    for row in range(count):
        stream = hashlib.shake_256(seed + row.to_bytes(8, "little")).digest(ring.degree // 4)
        bits = np.unpackbits(np.frombuffer(stream, np.uint8)).reshape(2, ring.degree)
        yield np.take(values, 2 * bits[0] + bits[1], axis=1)
