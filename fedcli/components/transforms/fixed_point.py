"""Updates as vectors of integers, which exact sums, encryption and proofs need."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Literal

import numpy as np
import numpy.typing as npt

from fedcli.core.errors import ConfigError, InvalidUpdateError, require_positive
from fedcli.core.factories import component
from fedcli.core.integer_grid import IntegerGrid
from fedcli.core.rounds import Aggregate, ClientUpdate, RoundContext
from fedcli.core.seeds import generator
from fedcli.core.transform import Transform
from fedcli.core.types import Tree, Vector
from fedcli.core.vectors import Integers, exact_squared_norm, squared_norm

Rounding = Literal["nearest", "stochastic"]
Floats = npt.NDArray[np.float64]

_FEWEST_BITS, _MOST_BITS = 8, 24
# The most that rounding adds to a coordinate, in steps.
_ROUNDED: dict[str, float] = {"nearest": 0.5, "stochastic": 1.0}
# Keeps a norm in float64 below a bound in spite of its rounding.
_MARGIN = 1 - 2.0**-40


@component
def fixed_point(
    *,
    clip_norm: float,
    bits: int = 20,
    rounding: Rounding = "nearest",
    max_examples: int | None = None,
    extra_clip_norms: Sequence[float] = (),
) -> Transform:
    """u_k = round(w_k clip(x_k) / step) with step = clip_norm / 2^bits, so that ||u_k|| <= floor(w_k 2^bits).

    A client clips, scales by its weight w_k in (0, 1], and rounds. An update that was clipped is shrunk a little
    further, by as much as rounding could add to its norm, so that the bound holds for certain. The bound is checked
    in integers; an update that still exceeds it is rounded towards zero, which never increases a norm. Everything
    downstream is an unweighted sum of integers, the same to the bit in any order. The server turns it back: sum times
    step.

    The weight of an update becomes w_k, so that the sum over it is the weighted mean.

    Args:
        clip_norm: largest L2 norm of one client's update, above 0 and finite.
        bits: of the bound B = 2^bits on the norm in steps, 8 to 24.
        rounding: `nearest`, or `stochastic`: up or down at random, right in the mean.
        max_examples: examples from which on a client counts in full, at least 1; w_k = min(n_k, max_examples) /
            max_examples; null lets every client count in full.
        extra_clip_norms: for payloads with more vectors of the same length after the update: the clip norm of each.
            Each is clipped by itself and has a step of its own, its clip norm / 2^bits.

    Raises:
        InvalidUpdateError: from `encode`, for an update with NaN or infinity.

    Reference: McMahan et al. 2018, arXiv:1710.06963, for clipping before weighting; Kairouz et al. 2021,
    arXiv:2102.06387, for the grid.

    Deviations: the norm after rounding is bounded by shrinking before it, where the paper rounds again until
    it holds.

    Example: clip_norm=10.0
    """
    norms = (clip_norm, *extra_clip_norms)
    for norm in norms:
        _require_finite(norm)
    if not _FEWEST_BITS <= bits <= _MOST_BITS:
        raise ConfigError(f"bits lies between {_FEWEST_BITS} and {_MOST_BITS}; received {bits}.", key="bits")
    if rounding not in _ROUNDED:
        raise ConfigError(f"rounding is nearest or stochastic; received {rounding}.", key="rounding")
    if max_examples is not None and max_examples < 1:
        raise ConfigError(f"max_examples is at least 1; received {max_examples}.", key="max_examples")
    grid = IntegerGrid(clip_norm, bits, max_examples)
    largest, steps = grid.largest, [norm / grid.largest for norm in norms]

    def encode(update: ClientUpdate, _state: Tree, context: RoundContext) -> ClientUpdate:
        weight = grid.weight_of(update.num_examples)
        bound = grid.bound_of(weight)
        # From the seed even in a private run, because epsilon does not rest on the rounding.
        draw = generator(context.root, context.round, update.client, "fixed_point").random
        sections = zip(np.split(update.payload, len(steps)), steps, strict=True)
        whole = np.concatenate(
            [_whole(vector, weight / step, bound, rounding, draw) for vector, step in sections]
        )
        sent = update.bytes_up - update.payload.nbytes + packed_bytes(whole.size, largest)
        return replace(update, payload=whole, weight=weight, bytes_up=sent)

    def admit(update: ClientUpdate, _state: Tree, _context: RoundContext) -> str | None:
        if update.payload.dtype != np.int64:
            return f"the update is a vector of {update.payload.dtype}; integers are expected"
        objection = grid.objection(update.weight, update.num_examples)
        if objection is not None:
            return objection
        bound = grid.bound_of(update.weight)
        if any(exact_squared_norm(part) > bound**2 for part in np.array_split(update.payload, len(steps))):
            return f"the update's norm on the grid exceeds its bound of {bound} steps"
        return None

    def decode(aggregate: Aggregate, state: Tree, _context: RoundContext) -> tuple[Aggregate, Tree]:
        parts = zip(np.split(aggregate.value, len(steps)), steps, strict=True)
        return aggregate._replace(value=np.concatenate([part * step for part, step in parts])), state

    return Transform(
        "fixed_point",
        encode=encode,
        admit=admit,
        decode=decode,
        takes="vector",
        gives="integers",
        client_copies=6,
        server_copies=4,
        coded_bytes=lambda size: packed_bytes(size, largest),
        # Integers are no longer in the units of earlier checks; the check here is exact and includes the clip.
        hides=True,
        grid=grid,
    )


def packed_bytes(size: int, largest: int) -> int:
    """Bytes of so many integers from -largest to largest, each in as many bits as hold any of them."""
    return -(-size * (2 * largest).bit_length() // 8)


def _require_finite(clip_norm: float) -> None:
    require_positive("clip_norm", clip_norm)
    if math.isinf(clip_norm):
        raise ConfigError(
            "a grid of integers has a last step: the clip norm must be finite.",
            key="clip_norm",
            hint="Use a finite clip_norm, such as 10.0; updates below it keep their length.",
        )


def _whole(
    vector: Vector, in_steps: float, bound: int, rounding: Rounding, draw: Callable[[int], Floats]
) -> Integers:
    """The vector times `in_steps`, clipped and rounded, of a norm that is at most the bound for certain."""
    norm = math.sqrt(squared_norm(vector))
    if not math.isfinite(norm):
        raise InvalidUpdateError("the update has NaN or infinite values, which no grid holds")
    scaled = _scaled(vector, norm, in_steps=in_steps, bound=bound, rounding=rounding)
    whole = _rounded(scaled, rounding, draw)
    if exact_squared_norm(whole) <= bound**2:
        return whole
    length = math.sqrt(squared_norm(scaled))
    return np.trunc(scaled * min(1.0, bound / length * _MARGIN)).astype(np.int64)


def _scaled(vector: Vector, norm: float, *, in_steps: float, bound: int, rounding: Rounding) -> Floats:
    """The update in steps, clipped so that rounding cannot lift its norm above the bound."""
    # At most half the bound is reserved for rounding: with more, most of the bound would be unused.
    room = max(bound - _ROUNDED[rounding] * math.sqrt(vector.size), bound / 2)
    length = norm * in_steps
    factor = in_steps if length <= room else in_steps * (room / length) * _MARGIN
    return np.multiply(vector, factor, dtype=np.float64)


def _rounded(scaled: Floats, rounding: Rounding, draw: Callable[[int], Floats]) -> Integers:
    if rounding == "nearest":
        return np.rint(scaled).astype(np.int64)
    return np.floor(scaled + draw(scaled.size)).astype(np.int64)
