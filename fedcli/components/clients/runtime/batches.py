"""The batches of local training, as row numbers, so that a client's data are never copied."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

PADDING = -1


class BatchPlan(NamedTuple):
    """The length of local training in a round; either `epochs` or `steps` is given.

    Args:
        batch_size: examples of a batch.
        epochs: passes over a client's examples.
        steps: number of batches.
        rate: probability that an example is in a batch, independently of the others (Poisson sampling). Then `steps`
            is given, and the sizes of batches are random and not limited.
    """

    batch_size: int
    epochs: int | None
    steps: int | None
    rate: float | None = None

    @property
    def width(self) -> int | None:
        """Rows of every batch, padding included; None under Poisson sampling."""
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
        """A part of the batches, drawn uniformly: whole epochs if there are several, single batches otherwise."""
        if self.epochs is not None and self.epochs > 1:
            # Whole epochs, as the stragglers of Li et al. 2020 do them.
            return int(rng.integers(1, self.epochs, endpoint=True)) * self.steps_of_an_epoch(num_examples)
        return int(rng.integers(1, max(self.num_steps(num_examples), 1), endpoint=True))

    def examples_seen(self, num_examples: int, steps: int | None = None) -> int:
        """Examples that go through the model in `steps` batches (None: in all planned ones)."""
        if not num_examples:
            return 0
        done = self.num_steps(num_examples) if steps is None else steps
        if self.rate is not None:
            return round(done * self.rate * num_examples)
        # The last batch of an epoch may be smaller, so that only whole epochs can be multiplied.
        epochs, rest = divmod(done, self.steps_of_an_epoch(num_examples))
        return epochs * num_examples + min(rest * self.batch_size, num_examples)


def draw_batches(num_examples: int, plan: BatchPlan, rng: np.random.Generator) -> npt.NDArray[np.int32]:
    """Rows of each batch, shape [S, B]; a smaller last batch is filled with `PADDING`.

    Every epoch is a new permutation of all examples, so that each one occurs exactly once. If the plan has a
    rate, batches are Poisson samples, B is a power of two that holds the largest, and a batch may be empty.
    """
    num_steps = plan.num_steps(num_examples)
    if plan.rate is not None:
        chosen = rng.random((num_steps, num_examples)) < plan.rate
        # A power of two, so that few shapes occur and the program with fixed shapes can be reused.
        rows = np.full((num_steps, padded_length(int(chosen.sum(axis=1).max(initial=1)))), PADDING, np.int32)
        steps, examples = np.nonzero(chosen)
        rows[steps, np.cumsum(chosen, axis=1)[chosen] - 1] = examples
        return rows
    per_epoch = plan.steps_of_an_epoch(num_examples)
    # With `steps` the last epoch is cut short.
    epochs = -(-num_steps // max(per_epoch, 1))
    rows = np.full((epochs, per_epoch * plan.batch_size), PADDING, np.int32)
    for epoch in rows:
        epoch[:num_examples] = rng.permutation(num_examples)
    return rows.reshape(epochs * per_epoch, plan.batch_size)[:num_steps]


# Bytes that one client's examples may be padded to for the sake of fewer programs.
_CHEAP = 2**18


def shared_length(length: int, *, largest: int, item_bytes: int) -> int:
    """The length to which a client's examples are padded, so that few compiled programs serve all clients.

    XLA takes half a second for each length. Where padding is cheap, all clients have the length of the largest one;
    others have the next power of two. Padding is never calculated with, so it changes no bit.

    Args:
        length: examples of this client.
        largest: examples of the largest client.
        item_bytes: bytes of an example.
    """
    cheap = _CHEAP // max(item_bytes, 1)
    # Rounded down to a power of two, of which every length is one.
    return max(padded_length(length), min(padded_length(largest), 1 << cheap.bit_length() >> 1))


def padded_length(length: int) -> int:
    """The next power of two: a compiled program of this fixed shape serves all shorter lengths."""
    return 1 << max(length - 1, 0).bit_length()
