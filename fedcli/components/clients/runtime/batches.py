"""Which examples form which batch: rows by index, so that a client's data stays where it is."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

PADDING = -1


class BatchPlan(NamedTuple):
    """How long a client trains in a round: exactly one of `epochs` and `steps` is given.

    Args:
        batch_size: examples of a batch.
        epochs: passes over a client's examples.
        steps: batches.
        rate: probability that an example is in a batch, each by its own coin; then `steps` is given, and batches
            have the sizes that the coins give them, without a cap.
    """

    batch_size: int
    epochs: int | None
    steps: int | None
    rate: float | None = None

    @property
    def width(self) -> int | None:
        """Rows of every batch, padding included; None where the coins decide."""
        return self.batch_size if self.rate is None else None

    def num_steps(self, num_examples: int) -> int:
        """Batches of a client with `num_examples` training examples."""
        if self.steps is not None:
            return self.steps if num_examples else 0
        return (self.epochs or 1) * self.steps_of_an_epoch(num_examples)

    def steps_of_an_epoch(self, num_examples: int) -> int:
        """Batches of one pass over `num_examples` training examples."""
        return -(-num_examples // self.batch_size)

    def part_of_steps(self, num_examples: int, rng: np.random.Generator) -> int:
        """A part of the batches, drawn uniformly: whole epochs where there are several, batches otherwise."""
        if self.epochs is not None and self.epochs > 1:
            return int(rng.integers(1, self.epochs, endpoint=True)) * self.steps_of_an_epoch(num_examples)
        return int(rng.integers(1, max(self.num_steps(num_examples), 1), endpoint=True))

    def examples_seen(self, num_examples: int, steps: int | None = None) -> int:
        """Examples that go through the model in `steps` batches (None: all that are planned)."""
        if not num_examples:
            return 0
        done = self.num_steps(num_examples) if steps is None else steps
        if self.rate is not None:
            return round(done * self.rate * num_examples)
        epochs, rest = divmod(done, self.steps_of_an_epoch(num_examples))
        return epochs * num_examples + min(rest * self.batch_size, num_examples)


def draw_batches(num_examples: int, plan: BatchPlan, rng: np.random.Generator) -> npt.NDArray[np.int32]:
    """Rows of each batch, shape [S, B]; a ragged last batch is filled with `PADDING`.

    Every epoch is a new permutation of all examples, so that none is left out and none comes twice. Where the
    plan has a rate, batches are Poisson samples, B is a power of two that holds the largest, and a batch may be
    empty.
    """
    if plan.rate is not None:
        return _poisson_batches(plan.num_steps(num_examples), num_examples, plan.rate, rng)
    per_epoch = plan.steps_of_an_epoch(num_examples)
    num_steps = plan.num_steps(num_examples)
    epochs = -(-num_steps // max(per_epoch, 1))
    rows = np.full((epochs, per_epoch * plan.batch_size), PADDING, np.int32)
    for epoch in rows:
        epoch[:num_examples] = rng.permutation(num_examples)
    return rows.reshape(epochs * per_epoch, plan.batch_size)[:num_steps]


def _poisson_batches(
    num_steps: int, num_examples: int, rate: float, rng: np.random.Generator
) -> npt.NDArray[np.int32]:
    chosen = rng.random((num_steps, num_examples)) < rate
    width = padded_length(int(chosen.sum(axis=1).max(initial=1)))
    rows = np.full((num_steps, width), PADDING, np.int32)
    places = np.cumsum(chosen, axis=1)[chosen] - 1
    steps, examples = np.nonzero(chosen)
    rows[steps, places] = examples
    return rows


def padded_length(length: int) -> int:
    """The next power of two: compiled programs of fixed shape serve every length up to it."""
    return 1 << max(length - 1, 0).bit_length()
