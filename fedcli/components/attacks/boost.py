"""Updates that are many times too long, before they are bounded or after."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Literal

import numpy as np

from fedcli.components.attacks.attack import Attack
from fedcli.components.attacks.client_halves import ClientHalf, bent
from fedcli.core.contracts import Transform
from fedcli.core.errors import ConfigError
from fedcli.core.ranges import require_positive_finite
from fedcli.core.rounds import ClientUpdate, RoundContext
from fedcli.core.types import Array, Tree, Vector


def boost(*, scale: float = 50.0, when: Literal["before", "after"] = "before") -> Attack:
    """Send `scale` times the update that honest training gave, multiplied before it is bounded or after.

    Before: the clip and the grid bound it as they bound every update, and it is accepted. After: the client sends
    what nothing has bounded, and where it commits to its update, `scale` times what it committed to. A check on arrival
    sees this where updates can be read. Encryption without proofs lets pass whatever fits. With proofs the sum
    does not open the commitments: the round is void, and nobody can say whose fault it is.

    Args:
        scale: times the honest update, above 0.
        when: before or after the client halves of the transforms, up to the commitment or the encryption.

    Raises:
        ConfigError: if a parameter is outside its range, or there is no such transform for `after`.

    Reference: Bagdasaryan et al. 2020, arXiv:1807.00459, for boosted updates.

    Deviations: under encryption integers are cut off at the largest of their grid, beyond which there is no room.
    """
    require_positive_finite("scale", scale)
    if when not in ("before", "after"):
        raise ConfigError(f"when is before or after; received {when}.", key="when")

    def forge(update: Vector, _rng: np.random.Generator) -> Vector:
        return np.multiply(update, scale, dtype=np.float32)

    def cheat(transforms: Sequence[Transform]) -> Sequence[Transform]:
        room, last = room_of(transforms), _last_readable(transforms)
        longer = followed_by(lambda vector, _weight: times(vector, scale, room))
        return bent(transforms, lambda part: part is last, longer)

    return Attack("boost", forge=forge) if when == "before" else Attack("boost", cheat=cheat)


def followed_by(change: Callable[[Array, float], Array]) -> Callable[[ClientHalf], ClientHalf]:
    """`(vector, weight)` of what a client half gave -> what is sent; what it put behind the vector stays."""

    def bend(honest: ClientHalf) -> ClientHalf:
        def encode(update: ClientUpdate, state: Tree, context: RoundContext) -> ClientUpdate:
            sent, size = honest(update, state, context), update.payload.size
            vector, behind = sent.payload[:size], sent.payload[size:]
            return replace(sent, payload=np.concatenate([change(vector, sent.weight), behind]))

        return encode

    return bend


def room_of(transforms: Sequence[Transform]) -> int | None:
    """The largest integer that an encryption is sure to have room for, in runs that encrypt."""
    encrypted = any(part.gives == "ciphertext" for part in transforms)
    return next((part.grid.largest for part in transforms if part.grid), None) if encrypted else None


def times(vector: Array, factor: float, room: int | None) -> Array:
    """`factor` times a vector; integers are rounded, and cut off where there is no more room."""
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
            "nothing happens to an update between training and the server, so that after is no other than before.",
            key="when",
            hint="Use when: before, or something that bounds updates, such as fixed_point: {clip_norm: 10.0}.",
        )
    return readable[-1]
