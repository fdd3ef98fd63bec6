"""Swapped proofs: a client sends another client's proof as its own."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from fedcli.components.attacks.attack import Attack
from fedcli.components.attacks.messages import What, passed_off, require_what
from fedcli.core.rounds import ClientUpdate


def swap(*, what: What = "proof") -> Attack:
    """Send the commitment and the proof of a random honest client of the same round as one's own.

    A proof holds for one client. The server therefore refuses it and knows the sender, under encryption as well. The
    honest client's own message is not changed.

    Args:
        what: `proof` sends the other commitment and proof with one's own update, `message` the other update as well.

    Raises:
        ConfigError: if `what` has another value.

    Combines: runs with proofs, without differential privacy.

    Needs: fixed_point={'clip_norm': 10.0, 'max_examples': 100}, proofs={'name': 'norm-bound'}
    """
    require_what(what)

    def intercept(
        own: Sequence[ClientUpdate], honest: Sequence[ClientUpdate], rng: np.random.Generator
    ) -> Sequence[ClientUpdate]:
        # With replacement: several malicious clients may take the same proof.
        drawn = rng.integers(len(honest), size=len(own))
        return [passed_off(each, honest[place], what) for each, place in zip(own, drawn, strict=True)]

    return Attack("swap", intercept=intercept, on_proofs=True)
