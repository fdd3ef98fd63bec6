"""Wrap-around: updates far beyond their bound, with a forged proof of the bound."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from fedcli.components.attacks.attack import Attack
from fedcli.components.attacks.boost import followed_by, room_of, times
from fedcli.components.attacks.client_halves import ClientHalf, bent
from fedcli.components.attacks.forged_proof import forged_proof
from fedcli.components.proofs.evidence import DIGEST, PROOF
from fedcli.components.proofs.statements import NormBounds
from fedcli.core.errors import ConfigError
from fedcli.core.integer_grid import IntegerGrid
from fedcli.core.rounds import ClientUpdate, RoundContext
from fedcli.core.transform import Transform
from fedcli.core.types import Array, Tree
from fedcli.core.vectors import exact_squared_norm
from fedcli.crypto.norm_proofs.jobs import Committed, commit_to
from fedcli.crypto.norm_proofs.norm_statement import NormBound
from fedcli.crypto.workers import elsewhere


def wrap_around(*, scale: float = 50.0) -> Attack:
    """Commit to integers `scale` times as long as their bound, and forge a proof that they keep it.

    The proof holds modulo the order of the group, where the sum of squares wraps around to the bound. Only the masked
    projections reveal it; the forger passes all 309 of them with probability below 2^-128. The server refuses the
    proof and knows the client, under encryption as well. An update of zeros has no direction and is not changed.

    Args:
        scale: length of the integers over the bound, above 1.

    Raises:
        ConfigError: if the scale is outside its range.

    Reference: Bell et al. 2023 (ACORN), ePrint 2022/1461, for the attack and projections against it.

    Deviations: under encryption integers are clipped to the largest that fits.

    Combines: runs with proofs.

    Needs: fixed_point={'clip_norm': 10.0, 'max_examples': 100}, proofs={'name': 'norm-bound'}
    """
    if not 1 < scale < math.inf:
        raise ConfigError(f"scale is a finite number above 1; received {scale}.", key="scale")

    def cheat(transforms: Sequence[Transform]) -> Sequence[Transform]:
        on_grid, grid = next((part, part.grid) for part in transforms if part.grid)
        room = room_of(transforms)

        def stretched(vector: Array, weight: float) -> Array:
            length = math.sqrt(exact_squared_norm(vector))
            return times(vector, scale * grid.bound_of(weight) / length, room) if length else vector

        longer = bent(transforms, lambda part: part is on_grid, followed_by(stretched))
        return bent(longer, lambda part: part.proves, _forging(grid))

    return Attack("wrap-around", cheat=cheat, on_proofs=True)


def _forging(grid: IntegerGrid) -> Callable[[ClientHalf], ClientHalf]:
    def bend(honest: ClientHalf) -> ClientHalf:
        def encode(update: ClientUpdate, state: Tree, context: RoundContext) -> ClientUpdate:
            made: list[Committed] = update.private["committed"]
            vector = made[0].opening.vector
            bound = NormBound(vector.size, grid.bound_of(update.weight) ** 2)
            # Where an encryption has little room, the integers may be cut off below their bound: then nothing is false.
            if exact_squared_norm(vector) <= bound.squared:
                return honest(update, state, context)
            # Everything else is what an honest client sends; only the proof is replaced. The honest prover cannot
            # prove the false statement, so that it receives zeros in place of the vector.
            harmless = elsewhere(commit_to, [np.zeros_like(vector)])
            private = {**update.private, "committed": [*harmless, *made[1:]]}
            sent = honest(replace(update, private=private), state, context)
            about = (
                NormBounds(grid)
                .made_for(context)
                .encode(
                    "update",
                    sent.attachments[DIGEST],
                    client=sent.client,
                    weight=sent.weight,
                    num_examples=sent.num_examples,
                )
            )
            proof = elsewhere(forged_proof, bound, *made[0], about)
            return replace(sent, attachments={**sent.attachments, PROOF: proof})

        return encode

    return bend
