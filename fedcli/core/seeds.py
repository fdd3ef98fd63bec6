"""Seeds: `seed(root, round, client, purpose)` is the only source of reproducible randomness."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator

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


def generators(root: int, round: int, clients: Iterable[int], purpose: str) -> Iterator[np.random.Generator]:
    """The `generator` of each client, of which only the last one may be used: a new one takes four times as long."""
    bits = np.random.Philox(key=0)
    one, state = np.random.Generator(bits), bits.state
    for client in clients:
        state["state"]["key"][0] = seed(root, round, client, purpose)
        bits.state = state
        yield one
