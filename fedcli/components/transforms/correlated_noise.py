"""Noise on the running sum of all rounds, of which a round adds the difference: DP-FTRL without sampling.

A later round's noise cancels a part of an earlier one's. What it needs to know of them is secret: it would take
the noise away, so that it stands in the `SECRET` entry of the transform's state and never in a checkpoint.
"""

from __future__ import annotations

import hmac
import math
import secrets
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from fedcli.core.contracts import Transform
from fedcli.core.errors import ConfigError
from fedcli.core.noise_multipliers import noise_deviation
from fedcli.core.privacy_events import BandedEvent, TreeEvent
from fedcli.core.rounds import Aggregate, ClientUpdate, RoundContext
from fedcli.core.seeds import SERVER, generator
from fedcli.core.types import SECRET, Tree
from fedcli.core.vectors import squared_norm
from fedcli.crypto.noise import KEY_BYTES, gaussian

Noise = npt.NDArray[np.float64]


def tree_noise(*, noise_multiplier: float, clip_norm: float, restart_every: int | None = None) -> Transform:
    """Sum of the updates + N(t) - N(t - 1), with N(t) the noise of the tree's nodes that cover the rounds 1 to t.

    Every node of the binary tree over rounds has noise of deviation noise_multiplier * clip_norm in each
    coordinate. N(t) adds up one node for each 1 among the binary digits of t, so that the noise on a running sum
    grows with log2(t) and not with t. A node's noise follows from its place and one secret key, which is drawn
    before the first round by the operating system, or is the seed where `reproducible_noise` is set.

    Args:
        noise_multiplier: deviation of a node's noise over clip norm, at least 0.
        clip_norm: bound on one client's L2 norm in a round's sum.
        restart_every: rounds after which a new tree begins; None for one tree.

    Reference: Kairouz et al. 2021, arXiv:2103.00039, Algorithm 1; without Honaker's weighting of nodes.
    """
    deviation = noise_deviation(noise_multiplier, clip_norm)
    event = TreeEvent(noise_multiplier, clip_norm, restart_every)

    def decode(aggregate: Aggregate, state: Tree, context: RoundContext) -> tuple[Aggregate, Tree]:
        if not deviation:
            return aggregate, state
        tree, before = (
            (0, context.round - 1) if restart_every is None else divmod(context.round - 1, restart_every)
        )
        node_key, state = _node_keys(state, context, tree)
        size = aggregate.value.size
        noise = sum(
            (sign * gaussian(size, key=node_key(*place)) for sign, place in changed_nodes(before + 1)),
            np.zeros(size),
        )
        return aggregate._replace(value=aggregate.value + deviation * noise), state

    return Transform("tree_noise", admit=_within(clip_norm), decode=decode, privacy=event)


def changed_nodes(leaf: int) -> list[tuple[int, tuple[int, int]]]:
    """Sign, height and number of the nodes that N(leaf) has and N(leaf - 1) has not (+1), or the other way (-1).

    Node n of height h covers the leaves n * 2^h + 1 to (n + 1) * 2^h. Adding 1 to leaf - 1 turns its trailing ones
    into zeros and the zero above them into a one: one node is finished, and replaces those below it.
    """
    height = (leaf & -leaf).bit_length() - 1
    below = [(-1, (j, ((leaf - 1) >> j) - 1)) for j in range(height)]
    return [(1, (height, (leaf >> height) - 1)), *below]


def banded_noise(*, noise_multiplier: float, clip_norm: float, bands: int) -> Transform:
    """Sum of the updates + w_t, with C w = z and z ~ N(0, (noise_multiplier * clip_norm)^2) in every round.

    C is lower triangular with `bands` diagonals, the first coefficients of the square root of the matrix of running
    sums, so that the noise on a running sum is small; its columns have an L2 norm of 1. w_t follows from z_t and
    the bands - 1 rows of w before it, which are the secret state. After a round that was closed as void the rows
    begin again at zero: C is then made of two blocks, whose columns are no longer than before.

    Args:
        noise_multiplier: deviation of z over clip norm, at least 0.
        clip_norm: bound on one client's L2 norm in a round's sum.
        bands: non-zero diagonals of C, at least 1; 1 is independent noise. A client waits as many rounds between
            its turns.

    Reference: Choquette-Choo et al. 2023, arXiv:2306.08153; the coefficients are the banded square root of
    Kalinin and Lampert 2024, arXiv:2405.13763, in place of numerically optimal ones.
    """
    deviation = noise_deviation(noise_multiplier, clip_norm)
    event = BandedEvent(noise_multiplier, clip_norm, bands)
    coefficients = banded_square_root(bands)

    def decode(aggregate: Aggregate, state: Tree, context: RoundContext) -> tuple[Aggregate, Tree]:
        if not deviation:
            return aggregate, state
        rows = _rows_before(state, context.round, aggregate.value.size)
        independent = deviation * gaussian(aggregate.value.size, key=_round_key(context))
        correlation = coefficients[1 : len(rows) + 1] @ rows[::-1]
        noise = (independent - correlation) / coefficients[0]
        kept = np.concatenate([rows, noise[None]])[len(rows) + 1 - min(len(rows) + 1, bands - 1) :]
        secret = {"rows": kept, "round": np.int64(context.round)}
        return aggregate._replace(value=aggregate.value + noise), {**state, SECRET: secret}

    return Transform("banded_noise", admit=_within(clip_norm), decode=decode, privacy=event)


def banded_square_root(bands: int) -> Noise:
    """The first `bands` coefficients of (1 - x)^(-1/2), scaled to an L2 norm of 1: the first column of C.

    Its square is 1 + x + x^2 + ..., the column of the matrix of running sums.
    """
    if bands < 1:
        raise ConfigError(f"bands is a whole number of at least 1; received {bands}.", key="bands")
    ratios = [(2 * k - 1) / (2 * k) for k in range(1, bands)]
    column = np.cumprod([1.0, *ratios])
    return np.asarray(column / math.sqrt(float(np.square(column).sum())))


def _within(clip_norm: float) -> Callable[[ClientUpdate, Tree, RoundContext], str | None]:
    # The noise is worth its epsilon only if nobody moves the sum further, whoever clips before.
    def admit(update: ClientUpdate, _state: Tree, _context: RoundContext) -> str | None:
        norm = math.sqrt(squared_norm(update.payload))
        return (
            None if norm <= clip_norm else f"the update's norm {norm:.9g} exceeds the noise's {clip_norm:g}"
        )

    return admit


def _node_keys(state: Tree, context: RoundContext, tree: int) -> tuple[Callable[[int, int], bytes], Tree]:
    """`(height, number)` -> the key of a node of the tree, and the state with the secret that it follows from."""
    if context.reproducible_noise:

        def seeded(height: int, number: int) -> bytes:
            return generator(context.root, 0, SERVER, f"tree {tree} node {height} {number}").bytes(KEY_BYTES)

        return seeded, state
    if SECRET not in state:
        state = {**state, SECRET: {"key": np.frombuffer(secrets.token_bytes(KEY_BYTES), np.uint8)}}
    key = np.asarray(state[SECRET]["key"], np.uint8).tobytes()
    return lambda height, number: hmac.digest(key, f"{tree}:{height}:{number}".encode(), "sha256"), state


def _rows_before(state: Tree, round: int, size: int) -> Noise:
    """The rows of w before this round's, shape [m, P], as many as there are; none after a void round."""
    secret = state.get(SECRET)
    if secret is None or int(secret["round"]) != round - 1:
        return np.zeros((0, size))
    return np.asarray(secret["rows"], np.float64)


def _round_key(context: RoundContext) -> bytes:
    if context.reproducible_noise:
        return generator(context.root, context.round, SERVER, "banded noise").bytes(KEY_BYTES)
    return secrets.token_bytes(KEY_BYTES)
