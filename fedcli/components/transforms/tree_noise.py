"""Noise of a binary tree over the rounds."""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Callable

import numpy as np

from fedcli.components.transforms.correlated_noise import within
from fedcli.core.factories import component
from fedcli.core.noise_multipliers import noise_deviation
from fedcli.core.privacy_events import TreeEvent
from fedcli.core.rounds import Aggregate, RoundContext
from fedcli.core.seeds import SERVER, generator
from fedcli.core.transform import Transform
from fedcli.core.types import SECRET, Tree
from fedcli.crypto.gaussian_steps import noise_grid
from fedcli.crypto.noise import KEY_BYTES


@component
def tree_noise(*, noise_multiplier: float, clip_norm: float, restart_every: int | None = None) -> Transform:
    """Sum of the updates + N(t) - N(t - 1), with N(t) the noise of the tree's nodes that cover the rounds 1 to t.

    Every node of the binary tree over rounds has noise of deviation noise_multiplier * clip_norm in each
    coordinate. N(t) adds up one node for each 1 among the binary digits of t, so that the noise on a running sum
    grows with log2(t) and not with t. A node's noise follows from its place and one secret key, which is drawn
    before the first round by the operating system, or is the seed where `reproducible_noise` is set. Sums are rounded
    to a grid whose step is at most 2^-25 of the deviation, and noise is a whole number of steps
    (`crypto/gaussian_steps.py`).

    Args:
        noise_multiplier: deviation of a node's noise over clip norm, 0 or 0.001 to 1,000,000.
        clip_norm: bound on one client's L2 norm in a round's sum, above 0.
        restart_every: rounds after which a new tree begins, at least 1; null for one tree.

    Reference: Kairouz et al. 2021, arXiv:2103.00039, Algorithm 1; without Honaker's weighting of nodes.

    Example: noise_multiplier=4.0, clip_norm=1.0

    Needs: strategy={'transforms': [{'name': 'clip', 'clip_norm': 1.0}], 'privacy': {'delta': 1e-5}}
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
        grid = noise_grid(deviation, bound=clip_norm, dimension=size)
        noise = np.zeros(size, np.int64)
        for sign, place in changed_nodes(before + 1):
            of_a_node = grid.noise(size, key=node_key(*place))
            # In place: of a large model each vector is two copies.
            noise += np.multiply(of_a_node, sign, out=of_a_node)
            del of_a_node
        return aggregate._replace(value=grid.moved(aggregate.value, noise)), state

    return Transform("tree_noise", admit=within(clip_norm), decode=decode, privacy=event, server_copies=6)


def changed_nodes(leaf: int) -> list[tuple[int, tuple[int, int]]]:
    """Sign, height and number of the nodes that N(leaf) has and N(leaf - 1) has not (+1), or the other way (-1).

    Node n of height h covers the leaves n * 2^h + 1 to (n + 1) * 2^h. Adding 1 to leaf - 1 turns its trailing ones
    into zeros and the zero above them into a one: one node is finished, and replaces those below it.
    """
    height = (leaf & -leaf).bit_length() - 1
    below = [(-1, (j, ((leaf - 1) >> j) - 1)) for j in range(height)]
    return [(1, (height, (leaf >> height) - 1)), *below]


def _node_keys(state: Tree, context: RoundContext, tree: int) -> tuple[Callable[[int, int], bytes], Tree]:
    """`(height, number)` -> the key of a node of the tree, and the state with the secret that it follows from."""
    if context.reproducible_noise:
        # Round 0: a node's noise is needed in several rounds, and must be the same in each.
        def seeded(height: int, number: int) -> bytes:
            return generator(context.root, 0, SERVER, f"tree {tree} node {height} {number}").bytes(KEY_BYTES)

        return seeded, state
    if SECRET not in state:
        state = {**state, SECRET: {"key": np.frombuffer(secrets.token_bytes(KEY_BYTES), np.uint8)}}
    # Noise is drawn anew from its node's key whenever it is needed, so that the state does not grow with the model.
    key = np.asarray(state[SECRET]["key"], np.uint8).tobytes()
    return lambda height, number: hmac.digest(key, f"{tree}:{height}:{number}".encode(), "sha256"), state
