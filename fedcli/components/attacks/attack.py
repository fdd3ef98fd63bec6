"""What a malicious client may do instead of what it was told, as a tuple of pure functions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple

import numpy as np

from fedcli.core.contracts import Transform
from fedcli.core.rounds import ClientData, ClientUpdate
from fedcli.core.types import Array, Vector


class DataForm(NamedTuple):
    """What an attack may know of the data before it sees any.

    Args:
        task: what the labels are.
        num_outputs: classes, or targets of one example.
        input_shape: shape of one example after preprocessing.
    """

    task: Literal["classification", "regression"]
    num_outputs: int
    input_shape: tuple[int, ...]


class Attack(NamedTuple):
    """How malicious clients attack; what is None does not happen. The updates are whole payloads, shape [P].

    A malicious client trains like any other, on its data after `poison`. Its own update goes through `forge`;
    at the end of the round all malicious updates go through `collude`. The result is encoded as the honest
    updates are, but for an attacker that has bent the protocol itself: by `cheat`, or at the very end by `intercept`.

    Args:
        name: its name.
        poison: a client's data -> what it trains on instead; the same in every round.
        forge: its own update -> the one it sends.
        collude: `(malicious updates, honest updates, rng)` -> the malicious updates that are sent, as many. There
            is at least one of each kind: in a round without honest clients the malicious ones study their own.
        cheat: the run's transforms -> those whose client halves the malicious clients run, as many and of the
            same names. The server's halves stay what they are.
        intercept: `(messages of malicious clients, messages of honest ones, rng)` -> what the malicious clients
            send in their place, as many. Messages are updates as they are sent. Both kinds are as in `collude`.
        on_proofs: whether the attack has no meaning in a run without proofs.
        objection: `(clients, malicious ones)` of a planned round -> why the attack would be none, or None.
        trigger: test examples `(x, y)` -> those that the attack wants to have misclassified, with the labels
            that it wants to see.
    """

    name: str
    poison: Callable[[ClientData, np.random.Generator], ClientData] | None = None
    forge: Callable[[Vector, np.random.Generator], Vector] | None = None
    collude: Callable[[Sequence[Vector], Sequence[Vector], np.random.Generator], Sequence[Vector]] | None = (
        None
    )
    cheat: Callable[[Sequence[Transform]], Sequence[Transform]] | None = None
    intercept: (
        Callable[
            [Sequence[ClientUpdate], Sequence[ClientUpdate], np.random.Generator], Sequence[ClientUpdate]
        ]
        | None
    ) = None
    on_proofs: bool = False
    objection: Callable[[int, int], str | None] | None = None
    trigger: Callable[[Array, Array], tuple[Array, Array]] | None = None

    @property
    def looks_at_others(self) -> bool:
        """Whether what malicious clients send depends on what honest clients found."""
        return self.collude is not None or self.intercept is not None


class Adversary(NamedTuple):
    """The malicious clients of a run, and what they do."""

    attack: Attack
    clients: frozenset[int]
