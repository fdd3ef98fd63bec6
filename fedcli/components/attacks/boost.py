"""Boosted updates: multiplied before or after the transforms bound them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Literal

import numpy as np

from fedcli.components.attacks.attack import Attack
from fedcli.components.attacks.client_halves import ClientHalf, bent
from fedcli.core.errors import ConfigError
from fedcli.core.ranges import require_positive_finite
from fedcli.core.rounds import ClientUpdate, RoundContext
from fedcli.core.transform import Transform
from fedcli.core.types import Array, Tree, Vector


def boost(*, scale: float = 50.0, when: Literal["before", "after"] = "before") -> Attack:
    """Send `scale` times the update that honest training gave, multiplied before it is bounded or after.

    Before: clip and fixed point bound it like every update, and it is accepted. After: the client sends an unbounded
    update; if clients commit to their updates, it sends `scale` times what it committed to. The server's check on
    arrival finds this if it can read updates. Under encryption without proofs, everything that fits is accepted. With
    proofs the sum does not open the commitments: the round is void, and nobody can say which client is at fault.

    Args:
        scale: factor of the honest update, above 0.
        when: before or after the client halves of the transforms, up to the commitment or the encryption.

    Raises:
        ConfigError: if a parameter is outside its range, or there is no such transform for `after`.

    Reference: Bagdasaryan et al. 2020, arXiv:1807.00459, for boosted updates.

    Deviations: under encryption integers are clipped to the largest that fits.
    """
    require_positive_finite("scale", scale)
    if when not in ("before", "after"):
        raise ConfigError(f"when is before or after; received {when}.", key="when")

    def forge(update: Vector, _rng: np.random.Generator) -> Vector:
        return np.multiply(update, scale, dtype=np.float32)

    def cheat(transforms: Sequence[Transform]) -> Sequence[Transform]:
        # The last client half whose output can still be changed: later ones encrypt it or prove it.
        room, last = room_of(transforms), _last_readable(transforms)
        longer = followed_by(lambda vector, _weight: times(vector, scale, room))
        return bent(transforms, lambda part: part is last, longer)

    return Attack("boost", forge=forge) if when == "before" else Attack("boost", cheat=cheat)


def followed_by(change: Callable[[Array, float], Array]) -> Callable[[ClientHalf], ClientHalf]:
    """A client half after which `change` is applied: `(vector, weight)` -> the vector to send.

    What the client half appends to the vector is not changed.
    """

    def bend(honest: ClientHalf) -> ClientHalf:
        def encode(update: ClientUpdate, state: Tree, context: RoundContext) -> ClientUpdate:
            sent, size = honest(update, state, context), update.payload.size
            vector, rest = sent.payload[:size], sent.payload[size:]
            return replace(sent, payload=np.concatenate([change(vector, sent.weight), rest]))

        return encode

    return bend


def room_of(transforms: Sequence[Transform]) -> int | None:
    """The largest integer that is certain to fit into an encrypted sum; None in runs without encryption."""
    encrypted = any(part.gives == "ciphertext" for part in transforms)
    return next((part.grid.largest for part in transforms if part.grid), None) if encrypted else None


def times(vector: Array, factor: float, room: int | None) -> Array:
    """`factor` times a vector; integers are rounded, and clipped to `room`."""
    if vector.dtype != np.int64:
        return np.multiply(vector, factor, dtype=vector.dtype)
    product = np.rint(vector * factor)
    return (product if room is None else np.clip(product, -room, room)).astype(np.int64)


def _last_readable(transforms: Sequence[Transform]) -> Transform:
    """The last client half before proofs and encryption: the commitment, if there is one."""
    readable = [
        part for part in transforms if part.acts_on_clients and not part.proves and part.gives != "ciphertext"
    ]
    if not readable:
        raise ConfigError(
            "no transform changes updates in this experiment, so that after is the same as before.",
            key="when",
            hint="Use when: before, or add a bound on updates, such as fixed_point: {clip_norm: 10.0}.",
        )
    return readable[-1]
