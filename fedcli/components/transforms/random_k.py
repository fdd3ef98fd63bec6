"""Updates of coordinates drawn at random."""

from __future__ import annotations

from fedcli.components.transforms.sparsify import VALUE_BYTES, Indices, sparsify
from fedcli.core.factories import component
from fedcli.core.rounds import ClientUpdate, RoundContext
from fedcli.core.seeds import generator
from fedcli.core.transform import Transform
from fedcli.core.types import Vector

_SEED_BYTES = 8


@component
def random_k(*, fraction: float = 0.01, error_feedback: bool = True) -> Transform:
    """Only coordinates drawn at random are sent; the server knows which from a seed.

    Args:
        fraction: share of the coordinates, in (0, 1]; at least one is sent.
        error_feedback: add what was left out to the client's next update. Without it the values that are
            sent are scaled up by the inverse of the share, so that the result is the update in the mean.

    Reference: Wangni et al. 2018, arXiv:1710.09854; error feedback: Karimireddy et al. 2019, arXiv:1901.09847.
    """

    def drawn(vector: Vector, count: int, update: ClientUpdate, context: RoundContext) -> Indices:
        rng = generator(context.root, context.round, update.client, "random_k")
        # No shuffle, because the order of the places does not matter.
        return rng.choice(vector.size, count, replace=False, shuffle=False)

    return sparsify(
        "random_k",
        drawn,
        lambda count, _total: count * VALUE_BYTES + _SEED_BYTES,
        fraction,
        error_feedback,
        unbiased=not error_feedback,
    )
