"""Proofs of somebody else, sent as a client's own."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from fedcli.components.attacks.attack import Attack
from fedcli.components.attacks.messages import What, passed_off, require_what
from fedcli.core.rounds import ClientUpdate


def swap(*, what: What = "proof") -> Attack:
    """Send the commitment and the proof of an honest client of the same round, which is drawn, as one's own.

    A proof is made for one client, so that it is refused with the name of who sent it, under encryption as well. The
    honest client's own message stays what it is.

    Args:
        what: `proof` sends the other's commitment and proof with one's own update, `message` the other's update too.

    Raises:
        ConfigError: if it is neither.

    Combines: runs with proofs, without differential privacy.
    """
    require_what(what)

    def intercept(
        own: Sequence[ClientUpdate], honest: Sequence[ClientUpdate], rng: np.random.Generator
    ) -> Sequence[ClientUpdate]:
        drawn = rng.integers(len(honest), size=len(own))
        return [passed_off(each, honest[place], what) for each, place in zip(own, drawn, strict=True)]

    return Attack("swap", intercept=intercept, on_proofs=True)
