"""Local training that protects single examples: DP-SGD inside the client."""

from __future__ import annotations

from typing import Any

from fedcli.components.clients.sgd import Carry, descend
from fedcli.components.clients.trainer import Batch, ClientTrainer, Learner, Start, Tensors
from fedcli.core.contracts import TrainerSpec
from fedcli.core.errors import require_positive
from fedcli.core.factories import component
from fedcli.core.noise_multipliers import noise_deviation
from fedcli.core.privacy_events import ExampleEvent

# Factor and product are rounded to float32, whose unit is 2^-24; this margin keeps the norm below the bound.
_MARGIN = 1 - 2.0**-22


@component
def dp_sgd(
    *, clip_norm: float, noise_multiplier: float, rate: float, steps: int, expected_batch_size: float
) -> TrainerSpec:
    """Steps along (sum over the batch of clip(g_i) + N(0, (noise_multiplier * clip_norm)^2)) / expected_batch_size.

    Every example is in a batch by its own coin, and its gradient g_i is scaled down to an L2 norm of at most
    `clip_norm`. A gradient with NaN or infinity counts as zero. The noise is drawn in TensorFlow, in floating
    point, from a Philox stream with a key of 128 bits for each step; the operating system gives the keys, or the
    seed where noise is reproducible.

    Args:
        clip_norm: bound on the L2 norm of one example's gradient, above 0; infinity only without noise.
        noise_multiplier: noise standard deviation over clip norm, at least 0.
        rate: probability that an example is in a batch, in (0, 1].
        steps: batches of one participation.
        expected_batch_size: the divisor, above 0; a constant, since the number of a client's examples is not noised.

    Reference: Abadi et al. 2016, arXiv:1607.00133, Algorithm 1.

    Example: clip_norm=1.0, noise_multiplier=1.0, rate=0.1, steps=10, expected_batch_size=10
    """
    deviation = noise_deviation(noise_multiplier, clip_norm)
    event = ExampleEvent(noise_multiplier, clip_norm, rate, steps)
    require_positive("expected_batch_size", expected_batch_size)

    def build(learner: Learner) -> ClientTrainer:
        plain = descend(learner)

        def step(start: Start, carry: Carry, batch: Batch) -> Carry:
            import tensorflow as tf

            total, sums, count = clipped_sum(learner, carry, batch, clip_norm=clip_norm)
            if deviation:
                key = tf.gather(start.noise_keys, tf.cast(carry.steps, tf.int32))
                total = _noised(total, key, deviation)
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

    return TrainerSpec("dp-sgd", build, privacy=event)


def clipped_sum(
    learner: Learner, carry: Carry, batch: Batch, *, clip_norm: float
) -> tuple[list[Any], Any, Any]:
    """The sum of the batch's clipped gradients, the sums of its loss and metrics [M], and its number of examples."""
    import tensorflow as tf

    def of_one(example: Any) -> Any:
        index, x, y = example
        moving = [_ahead(state, index) for state in carry.moving]
        seen = learner.differentiate(carry.weights, moving, Batch(x[None], y[None], tf.ones([1])))
        return _clipped(seen.gradients, clip_norm), seen.sums

    numbers = tf.range(tf.size(batch.mask))
    gradients, sums = tf.vectorized_map(of_one, (numbers, batch.x, batch.y), warn=False)
    total = [tf.tensordot(batch.mask, gradient, 1) for gradient in gradients]
    return total, tf.tensordot(batch.mask, sums, 1), tf.reduce_sum(batch.mask)


def _clipped(gradients: Tensors, clip_norm: float) -> list[Any]:
    """The gradients of one example, of joint L2 norm `clip_norm` at most; zero if they are not finite."""
    import tensorflow as tf

    squares = [tf.reduce_sum(tf.square(tf.cast(gradient, tf.float64))) for gradient in gradients]
    norm = tf.sqrt(tf.add_n(squares))
    factor = tf.where(norm <= clip_norm, tf.ones_like(norm), clip_norm * _MARGIN / norm)
    # In float64 no sum of squares of finite float32 numbers overflows.
    valid = tf.math.is_finite(norm)
    return [tf.where(valid, g * tf.cast(factor, g.dtype), tf.zeros_like(g)) for g in gradients]


def _noised(tensors: Tensors, key: Any, deviation: float) -> list[Any]:
    import tensorflow as tf

    # The algorithm is named, because TensorFlow's own choice depends on what compiles the program.
    keys = tf.unstack(tf.random.split(key, len(tensors), alg="philox"))
    return [
        tensor + deviation * tf.random.stateless_normal(tensor.shape, each, alg="philox")
        for tensor, each in zip(tensors, keys, strict=True)
    ]


def _ahead(seed_state: Any, draws: Any) -> Any:
    """A layer's seed state after so many draws: its first number is a seed, its second counts."""
    import tensorflow as tf

    return seed_state + tf.cast(tf.stack([tf.zeros_like(draws), draws]), seed_state.dtype)
