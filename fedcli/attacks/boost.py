"""Updates that are many times too long, before they are bounded or after."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Literal

import numpy as np

from fedcli.attacks.halves import ClientHalf, bent
from fedcli.core.attacks import Attack
from fedcli.core.errors import ConfigError
from fedcli.core.limits import require_positive_finite
from fedcli.core.types import Array, ClientUpdate, RoundContext, Transform, Tree, Vector


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

    Deviations: integers are cut off at the largest of their grid, beyond which an encryption has no room.
    """
    require_positive_finite("scale", scale)
    if when not in ("before", "after"):
        raise ConfigError(f"when is before or after; received {when}.", key="when")

    def forge(update: Vector, _rng: np.random.Generator) -> Vector:
        return np.multiply(update, scale, dtype=np.float32)

    def cheat(transforms: Sequence[Transform]) -> Sequence[Transform]:
        largest = next((part.grid.largest for part in transforms if part.grid), None)
        return bent(transforms, _last_readable(transforms).name, followed_by(scale, largest))

    return Attack("boost", forge=forge) if when == "before" else Attack("boost", cheat=cheat)


def followed_by(scale: float, largest: int | None) -> Callable[[ClientHalf], ClientHalf]:
    """Multiplies what a client half gave; what it put behind the vector that it took stays."""

    def bend(honest: ClientHalf) -> ClientHalf:
        def encode(update: ClientUpdate, state: Tree, context: RoundContext) -> ClientUpdate:
            sent, size = honest(update, state, context), update.payload.size
            vector, behind = sent.payload[:size], sent.payload[size:]
            return replace(sent, payload=np.concatenate([_times(vector, scale, largest), behind]))

        return encode

    return bend


def _last_readable(transforms: Sequence[Transform]) -> Transform:
    """The commitment; without one the last client half before encryption."""
    readable = [part for part in transforms if part.acts_on_clients and part.gives != "ciphertext"]
    if not readable:
        raise ConfigError(
            "nothing happens to an update between training and the server, so that after is no other than before.",
            key="when",
            hint="Use when: before, or something that bounds updates, such as fixed_point: {clip_norm: 10.0}.",
        )
    return next((part for part in readable if part.name == "commit"), readable[-1])


def _times(vector: Array, scale: float, largest: int | None) -> Array:
    if vector.dtype != np.int64:
        return np.multiply(vector, scale, dtype=vector.dtype)
    product = np.rint(vector * scale)
    return (product if largest is None else np.clip(product, -largest, largest)).astype(np.int64)
