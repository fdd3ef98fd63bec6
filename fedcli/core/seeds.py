"""Seeds: `seed(root, round, client, purpose)` is the only source of reproducible randomness."""

from __future__ import annotations

import hashlib

import numpy as np

SERVER = -1
"""The `client` of the server's draws."""


def seed(root: int, round: int, client: int, purpose: str) -> int:
    """A 64-bit seed that depends on its four arguments only.

    Args:
        root: the experiment's `seed`.
        round: the round, counted from 1; 0 before the first round.
        client: the client's number, or `SERVER`.
        purpose: the use of the draws, so that two uses never share a stream.
    """
    # Hashed, so that neighbouring arguments give unrelated seeds on every platform.
    message = f"fedcli/1:{root}:{round}:{client}:{purpose}".encode()
    return int.from_bytes(hashlib.sha256(message).digest()[:8], "little")


def generator(root: int, round: int, client: int, purpose: str) -> np.random.Generator:
    """A NumPy generator (Philox, counter based) seeded by `seed(root, round, client, purpose)`."""
    return np.random.Generator(np.random.Philox(key=seed(root, round, client, purpose)))
