"""One round of an encrypted sum, and what a privacy statement needs to know of an encryption."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple, Protocol

from fedcli.core.vectors import Integers


class Sender(Protocol):
    """A client's part of an encrypted sum, as a value that travels to wherever the client is trained."""

    def encrypt(self, values: Integers) -> tuple[bytes, float]:
        """Integers, shape [P], as the bytes that the client sends; and the seconds that this took.

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
        """The server's part; it refers to no secret, not even indirectly."""
        ...

    def sender(self, client: int) -> Sender:
        """What a client receives: the object that turns its integers into the bytes to send. It can be pickled."""
        ...

    def check(self, client: int, data: bytes) -> str | None:
        """On the server: why a client's bytes cannot be added, or None. Nothing is added."""
        ...

    def add(self, client: int, data: bytes) -> None:
        """On the server: add bytes that passed the check.

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


class Collusion(NamedTuple):
    """Clients of a cohort that may collude with the server without opening the updates of the others.

    Args:
        planned: number for which the scheme's parameters are planned.
        most: largest number with which it hides single updates, whoever they are.
        condition: what keeps single updates hidden from more colluders than `most`, as a relative clause; empty if
            nothing does.
    """

    planned: int
    most: int
    condition: str = ""


class Concealment(Protocol):
    """What a privacy statement needs to know of an encryption."""

    @property
    def name(self) -> str:
        """The scheme."""
        ...

    @property
    def assumes(self) -> str:
        """The condition under which the server learns only the sum of the updates, in words."""
        ...

    @property
    def collusion(self) -> Callable[[int], Collusion]:
        """Size of a cohort -> how many of its clients may collude with the server."""
        ...
