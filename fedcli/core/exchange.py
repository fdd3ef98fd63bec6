"""One round of an encrypted sum, and what a privacy statement needs to know of an encryption."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from fedcli.core.vectors import Integers


class Sender(Protocol):
    """A client's part of an encrypted sum, as a value that travels to wherever the client is trained."""

    def encrypt(self, values: Integers) -> tuple[bytes, float]:
        """Integers, shape [P], as what the client sends, and the seconds that it took.

        Raises:
            InvalidUpdateError: if the values are beyond what the encryption was planned for.
        """
        ...


class Exchange(Protocol):
    """One round's encrypted sum: what clients do, what the server does, and how they open it together.

    The server's part is an object of its own, which holds ciphertexts and public keys; see
    `components/encryption`.
    """

    @property
    def server(self) -> object:
        """The server's part, which leads to no secret."""
        ...

    def sender(self, client: int) -> Sender:
        """What a client is told: how it makes of its integers what it sends. It can be pickled."""
        ...

    def check(self, client: int, data: bytes) -> str | None:
        """The server: why what a client sent cannot be added, or None. Nothing is added."""
        ...

    def add(self, client: int, data: bytes) -> None:
        """The server: add what was checked.

        Raises:
            VoidRoundError: if it cannot be added after all; the round's sum is lost.
        """
        ...

    def open(self) -> Integers:
        """Open the sum of all that was added, shape [P].

        Raises:
            VoidRoundError: with the reason why this round's sum stays closed, such as too few members.
        """
        ...

    def figures(self) -> Mapping[str, float]:
        """Columns of metrics.jsonl: seconds to encrypt, add and open; bytes besides the updates; attempts."""
        ...


class Concealment(Protocol):
    """What a privacy statement needs to know of an encryption."""

    @property
    def name(self) -> str:
        """The scheme."""
        ...

    @property
    def assumes(self) -> str:
        """What must hold for the server to learn no more of the updates than their sum, as words."""
        ...
