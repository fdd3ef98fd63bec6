"""A proof's own record, from which its challenges are drawn (Fiat and Shamir 1986)."""

from __future__ import annotations

import hashlib
from typing import NamedTuple

from fedcli.crypto.norm_proofs.curve import ORDER

_CHALLENGE_BYTES = 64  # 257 bits more than the order has, so that the remainder is uniform to 2^-256


class Transcript(NamedTuple):
    """A chain of SHA-512 over everything that was said; each label and message with its length in front.

    A value: `absorb` gives the next one, and this one stays. Challenges are SHAKE256 of the state and a label.
    """

    state: bytes = bytes(64)

    def absorb(self, label: str, message: bytes) -> Transcript:
        """The transcript after one more message."""
        return Transcript(hashlib.sha512(self.state + _framed(label.encode()) + _framed(message)).digest())

    def bytes(self, label: str, count: int) -> bytes:
        """`count` bytes that depend on all that was absorbed, and on `label`."""
        return hashlib.shake_256(self.state + _framed(label.encode())).digest(count)

    def scalar(self, label: str) -> int:
        """A challenge in [1, order)."""
        return 1 + int.from_bytes(self.bytes(label, _CHALLENGE_BYTES), "big") % (ORDER - 1)


def _framed(data: bytes) -> bytes:
    return len(data).to_bytes(8, "big") + data
