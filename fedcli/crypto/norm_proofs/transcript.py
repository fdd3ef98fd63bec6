"""Transcript of a proof, from which its challenges are derived (Fiat and Shamir 1986)."""

from __future__ import annotations

import hashlib
from typing import NamedTuple

from fedcli.crypto.norm_proofs.curve import ORDER

_CHALLENGE_BYTES = 64  # 257 bits more than the order has, so the remainder is uniform up to 2^-256


class Transcript(NamedTuple):
    """SHA-512 chain over all messages; every label and message is preceded by its length.

    The transcript is a value: `absorb` returns the next one and leaves this one unchanged. Challenges are SHAKE256 of
    the state and a label.
    """

    state: bytes = bytes(64)

    def absorb(self, label: str, message: bytes) -> Transcript:
        """The transcript after one more message."""
        return Transcript(hashlib.sha512(self.state + _framed(label.encode()) + _framed(message)).digest())

    def bytes(self, label: str, count: int) -> bytes:
        """`count` challenge bytes that depend on everything absorbed and on `label`."""
        return hashlib.shake_256(self.state + _framed(label.encode())).digest(count)

    def scalar(self, label: str) -> int:
        """A challenge in [1, order)."""
        return 1 + int.from_bytes(self.bytes(label, _CHALLENGE_BYTES), "big") % (ORDER - 1)


def _framed(data: bytes) -> bytes:
    # With the length in front, bytes cannot move from one message to the next unnoticed.
    return len(data).to_bytes(8, "big") + data
