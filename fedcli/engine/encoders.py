"""The transforms that each client runs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from fedcli.components.attacks.attack import Adversary
from fedcli.core.contracts import Strategy
from fedcli.core.transform import Transform


class Encoders(NamedTuple):
    """The transforms that clients run: those of the strategy, or for malicious clients those of the attack."""

    honest: Sequence[Transform]
    bent: Sequence[Transform]
    malicious: frozenset[int]

    def of(self, client: int) -> Sequence[Transform]:
        """Those of one client."""
        return self.bent if client in self.malicious else self.honest


def encoders_of(strategy: Strategy, adversary: Adversary | None) -> Encoders:
    """The encoders of a strategy, under an attack if there is one."""
    transforms = strategy.transforms
    if adversary is None or adversary.attack.cheat is None:
        return Encoders(transforms, transforms, frozenset())
    return Encoders(transforms, adversary.attack.cheat(transforms), adversary.clients)
