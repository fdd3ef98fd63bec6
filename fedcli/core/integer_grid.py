"""The grid that updates are rounded to: its step, and how long a client's vector on it may be."""

from __future__ import annotations

import math
from typing import NamedTuple

_MOST_EXAMPLES = 1 << 62


class IntegerGrid(NamedTuple):
    """Vectors of integers u with ||u|| <= floor(w 2^bits), one step being clip_norm / 2^bits.

    Args:
        clip_norm: largest L2 norm of an update before its weight, in the units of the weights.
        bits: of the bound in steps.
        max_examples: examples from which on a client counts in full; None lets every client count in full.
    """

    clip_norm: float
    bits: int
    max_examples: int | None = None

    @property
    def largest(self) -> int:
        """B = 2^bits, the bound of a client that counts in full, in steps."""
        return 1 << self.bits

    @property
    def step(self) -> float:
        """What one integer stands for, in the units of the weights."""
        return self.clip_norm / self.largest

    def weight_of(self, num_examples: int) -> float:
        """w_k = min(n_k, max_examples) / max_examples, in [0, 1]."""
        if self.max_examples is None:
            return 1.0
        return min(num_examples, self.max_examples) / self.max_examples

    def bound_of(self, weight: float) -> int:
        """B_k = floor(w_k 2^bits), in steps."""
        return math.floor(weight * self.largest)

    def objection(self, weight: float, num_examples: int) -> str | None:
        """Why an update cannot have this weight, or None where it is the one of its examples."""
        if not 0 <= num_examples < _MOST_EXAMPLES:
            # A negative weight would have a bound whose square is as large as it likes.
            return f"the update says that it is of {num_examples} examples"
        expected = self.weight_of(num_examples)
        if weight == expected:
            return None
        return f"the update has weight {weight:.6g}; {num_examples} examples have {expected:.6g}"
