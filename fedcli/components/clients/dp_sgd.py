"""Local training that protects single examples: DP-SGD inside the client."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from fedcli.components.clients.sgd import Carry, descend
from fedcli.components.clients.trainer import Batch, ClientTrainer, Learner, Start, Tensors
from fedcli.core.contracts import TrainerSpec
from fedcli.core.errors import ConfigError, require_positive
from fedcli.core.factories import component
from fedcli.core.noise_multipliers import noise_deviation
from fedcli.core.privacy_events import ExampleEvent
from fedcli.core.types import Array
from fedcli.crypto.gaussian_steps import gaussian_steps

# Factor and product are rounded to float32, whose unit is 2^-24; this margin keeps the norm below the bound.
_MARGIN = 1 - 2.0**-22
# Bits of the bound on one gradient in steps of the grid: as many as leave the noise below 2^24 steps, so that its
# furthest sample, 127 deviations, is an int32.
_MOST_BITS, _FEWEST_BITS, _NOISE_BITS = 20, 10, 24


@component
def dp_sgd(
    *, clip_norm: float, noise_multiplier: float, rate: float, steps: int, expected_batch_size: float
) -> TrainerSpec:
    """Steps along (sum over the batch of clip(g_i) + N(0, (noise_multiplier * clip_norm)^2)) / expected_batch_size.

    Every example is in a batch by its own coin, and its gradient g_i is scaled down to an L2 norm of at most
    `clip_norm`. A gradient with NaN or infinity counts as zero.

    Every clipped gradient is rounded to a grid of clip_norm / 2^20, or coarser above a noise_multiplier of 16, and is
    shrunk before that by what rounding could add to its norm. The sum is exact, and the noise is a whole number of
    steps. The exact sampler draws it outside of TensorFlow for all steps of a client at once, with a key from the
    operating system, or from the seed where noise is reproducible.

    Args:
        clip_norm: bound on the L2 norm of one example's gradient, above 0; infinity only without noise.
        noise_multiplier: noise standard deviation over clip norm, 0 or 0.001 to 1,000,000.
        rate: probability that an example is in a batch, in (0, 1].
        steps: batches of one participation, 1 to 10,000.
        expected_batch_size: the divisor, above 0; a constant, since the number of a client's examples is not noised.

    Reference: Abadi et al. 2016, arXiv:1607.00133, Algorithm 1; Haney et al. 2022, arXiv:2207.10635, for the grid.

    Deviations: the gradient of one example is taken to have the same bits whichever others are in its batch.

    Example: clip_norm=1.0, noise_multiplier=1.0, rate=0.1, steps=10, expected_batch_size=10

    Needs: strategy={'privacy': {'delta': 1e-5}}
    """
    deviation = noise_deviation(noise_multiplier, clip_norm)
    event = ExampleEvent(noise_multiplier, clip_norm, rate, steps)
    require_positive("expected_batch_size", expected_batch_size)
    grid = _steps_of_bound(noise_multiplier) if deviation else None

    def build(learner: Learner) -> ClientTrainer:
        plain = descend(learner)

        def step(start: Start, carry: Carry, batch: Batch) -> Carry:
            import tensorflow as tf

            total, sums, count = clipped_sum(learner, carry, batch, clip_norm=clip_norm, grid=grid)
            if grid:
                noise = tf.gather(start.noise, tf.cast(carry.steps, tf.int32))
                total = [tf.cast(each * (clip_norm / grid), tf.float32) for each in _noised(total, noise)]
            weights, optimizer = learner.optimizer.update(
                [tensor / expected_batch_size for tensor in total],
                carry.weights,
                carry.optimizer,
                start.learning_rate_scale,
            )
            # BatchNorm is refused, so a forward pass changes nothing but Dropout's seed states.
            moving = [_ahead(state, tf.size(batch.mask)) for state in carry.moving]
            return Carry(
                list(weights), moving, optimizer, carry.sums + sums, carry.count + count, carry.steps + 1
            )

        return plain._replace(step=step)

    def noise(size: int, key: bytes) -> Array:
        # Below 2^31: `_NOISE_BITS` sees to that.
        return gaussian_steps(size, deviation=noise_multiplier * (grid or 0), key=key).astype(np.int32)

    return TrainerSpec("dp-sgd", build, privacy=event, noise=noise if grid else None)


def _steps_of_bound(noise_multiplier: float) -> int:
    """2^bits, the bound on one clipped gradient in steps of the grid."""
    bits = min(_MOST_BITS, _NOISE_BITS - math.ceil(math.log2(noise_multiplier)))
    if bits < _FEWEST_BITS:
        most = 2 ** (_NOISE_BITS - _FEWEST_BITS)
        raise ConfigError(
            f"noise on gradients is at most {most:,} times the clip norm; received {noise_multiplier:g}.",
            key="noise_multiplier",
            hint="Use a larger clip_norm, or less noise.",
        )
    return 1 << bits


def clipped_sum(
    learner: Learner, carry: Carry, batch: Batch, *, clip_norm: float, grid: int | None = None
) -> tuple[list[Any], Any, Any]:
    """The sum of the batch's clipped gradients, the sums of its loss and metrics [M], and its number of examples.

    Args:
        learner: the model's functions.
        carry: the weights and moving tensors of this step.
        batch: its examples.
        clip_norm: bound on the L2 norm of one example's gradient.
        grid: `clip_norm` in steps; gradients are then rounded, and their sum is exact, in steps and in float64. None
            for a sum in float32 without rounding.
    """
    import tensorflow as tf

    def of_one(example: Any) -> Any:
        index, x, y = example
        # Every example draws a Dropout mask of its own, as it would in a batch.
        moving = [_ahead(state, index) for state in carry.moving]
        seen = learner.differentiate(carry.weights, moving, Batch(x[None], y[None], tf.ones([1])))
        clipped = (
            _clipped(seen.gradients, clip_norm) if grid is None else _on_grid(seen.gradients, clip_norm, grid)
        )
        return clipped, seen.sums

    # Some layers, such as a sum of two layers, cannot be mapped over a single example.
    missing = tf.maximum(2 - tf.size(batch.mask), 0)
    x, y, kept = (_with_zeros(each, missing) for each in (batch.x, batch.y, batch.mask))
    gradients, sums = tf.vectorized_map(of_one, (tf.range(tf.size(kept)), x, y), warn=False)
    # Rows of padding have gradients too; the mask leaves them out.
    # Sums of whole numbers below 2^53 are exact in float64, in any order.
    kind = tf.float32 if grid is None else tf.float64
    mask = tf.cast(kept, kind)
    total = [tf.tensordot(mask, tf.cast(gradient, kind), 1) for gradient in gradients]
    return total, tf.tensordot(kept, sums, 1), tf.reduce_sum(kept)


def _with_zeros(tensor: Any, rows: Any) -> Any:
    import tensorflow as tf

    return tf.pad(tensor, [[0, rows], *[[0, 0]] * (tensor.shape.rank - 1)])


def _clipped(gradients: Tensors, clip_norm: float) -> list[Any]:
    """The gradients of one example, of joint L2 norm `clip_norm` at most; zero if they are not finite."""
    import tensorflow as tf

    norm = _norm(gradients)
    factor = tf.where(norm <= clip_norm, tf.ones_like(norm), clip_norm * _MARGIN / norm)
    return _times(gradients, factor, norm)


def _on_grid(gradients: Tensors, clip_norm: float, grid: int) -> list[Any]:
    """The gradients of one example in whole steps, of joint L2 norm `grid` at most; zero if they are not finite."""
    import tensorflow as tf

    # Rounding adds half a step to each coordinate at most.
    rounding = math.sqrt(sum(math.prod(gradient.shape) for gradient in gradients)) / 2
    if rounding > grid / 2:
        raise ConfigError(
            f"rounding {4 * rounding**2:,.0f} weights could move a gradient by half of its bound of {grid:,} steps.",
            key="noise_multiplier",
            hint="Use less noise, or a smaller model.",
        )
    norm = _norm(gradients) * (grid / clip_norm)
    factor = tf.minimum(tf.ones_like(norm), (grid - rounding) / norm) * (_MARGIN * grid / clip_norm)
    return [tf.round(gradient) for gradient in _times(gradients, factor, norm)]


def _norm(gradients: Tensors) -> Any:
    import tensorflow as tf

    # In float64 no sum of squares of finite float32 numbers overflows.
    squares = [tf.reduce_sum(tf.square(tf.cast(gradient, tf.float64))) for gradient in gradients]
    return tf.sqrt(tf.add_n(squares))


def _times(gradients: Tensors, factor: Any, norm: Any) -> list[Any]:
    import tensorflow as tf

    valid = tf.math.is_finite(norm)
    return [tf.where(valid, g * tf.cast(factor, g.dtype), tf.zeros_like(g)) for g in gradients]


def _noised(tensors: Tensors, noise: Any) -> list[Any]:
    """The sums in steps, with a step's noise, shape [P]."""
    import tensorflow as tf

    pieces = tf.split(tf.cast(noise, tf.float64), [math.prod(tensor.shape) for tensor in tensors])
    return [tensor + tf.reshape(piece, tensor.shape) for tensor, piece in zip(tensors, pieces, strict=True)]


def _ahead(seed_state: Any, draws: Any) -> Any:
    """A layer's seed state after so many draws: its first number is a seed, its second counts."""
    import tensorflow as tf

    return seed_state + tf.cast(tf.stack([tf.zeros_like(draws), draws]), seed_state.dtype)
