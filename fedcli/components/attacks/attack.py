"""Attacks as tuples of pure functions: what malicious clients do differently from honest ones."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple

import numpy as np

from fedcli.core.rounds import ClientData, ClientUpdate
from fedcli.core.transform import Transform
from fedcli.core.types import Array, Vector


class DataForm(NamedTuple):
    """What an attack knows about the data before it sees any.

    Args:
        task: what the labels are.
        num_outputs: classes, or targets of one example.
        input_shape: shape of one example after preprocessing.
    """

    task: Literal["classification", "regression"]
    num_outputs: int
    input_shape: tuple[int, ...]


class Attack(NamedTuple):
    """How malicious clients attack; a step that is None is left out. Updates are whole payloads, shape [P].

    A malicious client trains like any other, on its data after `poison`. Its own update goes through `forge`.
    At the end of the round all malicious updates go through `collude`. The result is encoded like an honest
    update, unless the attacker changes the protocol itself: with `cheat`, or at the very end with `intercept`.

    Args:
        name: its name.
        poison: a client's data -> what it trains on instead; the same in every round.
        forge: its own update -> the one it sends.
        collude: `(malicious updates, honest updates, rng)` -> the malicious updates to send, equally many. Neither is
            empty: in a round without honest clients, the malicious updates are passed as the honest ones too.
        cheat: the run's transforms -> the transforms whose client halves the malicious clients run, equally many
            and with the same names. The server's halves are not changed.
        intercept: `(messages of malicious clients, messages of honest ones, rng)` -> what the malicious clients
            send instead, equally many. Messages are updates as they are sent. Both kinds are as in `collude`.
        on_proofs: whether the attack needs a run with proofs.
        objection: `(clients, malicious clients)` of a planned round -> why the attack would have no effect, or None.
        trigger: test examples `(x, y)` -> the examples that the attack wants to have misclassified, with the
            labels that it wants.
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
        """Whether what malicious clients send depends on the honest clients' updates."""
        return self.collude is not None or self.intercept is not None


class Adversary(NamedTuple):
    """The malicious clients of a run and their attack."""

    attack: Attack
    clients: frozenset[int]
