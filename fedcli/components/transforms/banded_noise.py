"""Noise that a banded matrix correlates over the rounds."""

from __future__ import annotations

import math
import secrets

import numpy as np
import numpy.typing as npt

from fedcli.components.transforms.correlated_noise import within
from fedcli.core.errors import ConfigError
from fedcli.core.factories import component
from fedcli.core.noise_multipliers import noise_deviation
from fedcli.core.privacy_events import BandedEvent
from fedcli.core.rounds import Aggregate, RoundContext
from fedcli.core.seeds import SERVER, generator
from fedcli.core.transform import Transform
from fedcli.core.types import SECRET, Tree
from fedcli.core.vectors import PIECE
from fedcli.crypto.gaussian_steps import gaussian_steps, noise_grid
from fedcli.crypto.noise import KEY_BYTES

Noise = npt.NDArray[np.float64]

# The matrix has whole multiples of 2^-16, so that everything that is released is computed in integers.
_PRECISION = 16


@component
def banded_noise(*, noise_multiplier: float, clip_norm: float, bands: int) -> Transform:
    """Sum of the updates + w_t, with C w = z and z ~ N(0, (noise_multiplier * clip_norm)^2) in every round.

    C is lower triangular with `bands` diagonals, the first coefficients of the square root of the matrix of running
    sums, so that the noise on a running sum is small; its columns have an L2 norm of 1. w_t follows from z_t and
    the bands - 1 rows of w before it, which are the secret state. After a round that was closed as void the rows
    begin again at zero: C is then made of two blocks, whose columns are no longer than before.

    Sums are rounded to a grid whose step is at most 2^-25 of z's deviation, and w_t is a whole number of steps. For
    integer sums q and an integer matrix A = 2^16 C, A q + z is released by the exact sampler; what is published is
    the solution of A x = A q + z, rounded row by row, which is post-processing.

    Args:
        noise_multiplier: deviation of z over clip norm, 0 or 0.001 to 1,000,000.
        clip_norm: bound on one client's L2 norm in a round's sum, above 0.
        bands: non-zero diagonals of C, 1 to 10,000; 1 is independent noise. A client waits as many rounds between
            its turns.

    Reference: Choquette-Choo et al. 2023, arXiv:2306.08153; the coefficients are the banded square root of
    Kalinin and Lampert 2024, arXiv:2405.13763, in place of numerically optimal ones.

    Example: noise_multiplier=1.0, clip_norm=1.0, bands=4

    Needs: strategy={'transforms': [{'name': 'clip', 'clip_norm': 1.0}], 'privacy': {'delta': 1e-5}},
        cohort={'name': 'min-separation', 'separation': 4}
    """
    deviation = noise_deviation(noise_multiplier, clip_norm)
    event = BandedEvent(noise_multiplier, clip_norm, bands)
    # After the event, which bounds the bands. Rounded down, so that no column is longer than 1.
    matrix = np.floor(banded_square_root(bands) * 2**_PRECISION).astype(np.int64)

    def decode(aggregate: Aggregate, state: Tree, context: RoundContext) -> tuple[Aggregate, Tree]:
        if not deviation:
            return aggregate, state
        size = aggregate.value.size
        grid = noise_grid(deviation, bound=clip_norm, dimension=size)
        before = _rows_before(state, context.round, size)
        wide = grid.deviation * 2**_PRECISION
        noise = gaussian_steps(size, deviation=wide, key=_round_key(context))
        count = len(before)
        # A has no entries beyond its bands, so that older rows are never needed again.
        rows = np.empty((min(count + 1, bands - 1), size), np.float64)
        # In pieces: of a large model each row is two copies, and there are three such matrices otherwise.
        for first in range(0, size, PIECE):
            columns = slice(first, first + PIECE)
            steps = grid.rounded(before[:, columns]).astype(np.int64)
            correlation = matrix[1 : count + 1] @ steps[::-1]
            # The last row of A w = z, solved for w_t, and rounded to the nearest integer.
            noise[columns] = (2 * (noise[columns] - correlation) + matrix[0]) // (2 * matrix[0])
            kept = np.concatenate([steps, noise[None, columns]])
            rows[:, columns] = kept[count + 1 - len(rows) :] * grid.step
        secret = {"rows": rows, "round": np.int64(context.round)}
        value = grid.moved(aggregate.value, noise)
        return aggregate._replace(value=value), {**state, SECRET: secret}

    def secret_bytes(size: int, rounds: int) -> int:
        return 8 * size * min(bands - 1, rounds) if deviation else 0

    return Transform(
        "banded_noise",
        admit=within(clip_norm),
        decode=decode,
        privacy=event,
        secret_bytes=secret_bytes,
        server_copies=6,
    )


def banded_square_root(bands: int) -> Noise:
    """The first `bands` coefficients of (1 - x)^(-1/2), scaled to an L2 norm of 1: the first column of C.

    Its square is 1 + x + x^2 + ..., the column of the matrix of running sums.
    """
    if bands < 1:
        raise ConfigError(f"bands is a whole number of at least 1; received {bands}.", key="bands")
    ratios = [(2 * k - 1) / (2 * k) for k in range(1, bands)]
    column = np.cumprod([1.0, *ratios])
    # With columns of norm 1, one turn of a client costs what independent noise of this multiplier costs.
    return np.asarray(column / math.sqrt(float(np.square(column).sum())))


def _rows_before(state: Tree, round: int, size: int) -> Noise:
    """The rows of w before this round's, [m, P], as many as there are; none after a void round."""
    secret = state.get(SECRET)
    if secret is None or int(secret["round"]) != round - 1:
        return np.zeros((0, size))
    return np.asarray(secret["rows"], np.float64)


def _round_key(context: RoundContext) -> bytes:
    if context.reproducible_noise:
        return generator(context.root, context.round, SERVER, "banded noise").bytes(KEY_BYTES)
    return secrets.token_bytes(KEY_BYTES)
