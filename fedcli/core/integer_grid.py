"""The fixed-point grid of updates: its step, and the largest norm of a client's integer vector."""

from __future__ import annotations

import math
from typing import NamedTuple

# From 2^53 on, JSON has no exact integers, and proofs are bound to the number.
_MOST_EXAMPLES = 1 << 53


class IntegerGrid(NamedTuple):
    """Integer vectors u with ||u|| <= floor(w 2^bits), for a client of weight w; a step is clip_norm / 2^bits.

    Args:
        clip_norm: largest L2 norm of an update before it is weighted, in the units of the model's weights.
        bits: logarithm of the bound in steps.
        max_examples: number of examples from which a client has weight 1; None gives every client weight 1.
    """

    clip_norm: float
    bits: int
    max_examples: int | None = None

    @property
    def largest(self) -> int:
        """B = 2^bits, the bound of a client of weight 1, in steps."""
        return 1 << self.bits

    @property
    def step(self) -> float:
        """The value of the integer 1, in the units of the model's weights."""
        return self.clip_norm / self.largest

    def weight_of(self, num_examples: int) -> float:
        """w_k = min(n_k, max_examples) / max_examples, in [0, 1]."""
        if self.max_examples is None:
            return 1.0
        return min(num_examples, self.max_examples) / self.max_examples

    def bound_of(self, weight: float) -> int:
        """B_k = floor(w_k 2^bits), in steps."""
        # Rounded down, so that a client's bound is never above its share.
        return math.floor(weight * self.largest)

    def objection(self, weight: float, num_examples: int) -> str | None:
        """Why an update cannot have this weight, or None if it is the weight of its examples."""
        if not 0 <= num_examples < _MOST_EXAMPLES:
            # A negative number of examples would give a negative bound, whose square can be as large as it likes.
            return f"the update claims {num_examples} examples"
        expected = self.weight_of(num_examples)
        # Exactly, because both sides calculate it from the same integers by the same formula.
        if weight == expected:
            return None
        return f"the update has weight {weight:.6g}; the weight of {num_examples} examples is {expected:.6g}"
