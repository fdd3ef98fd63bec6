"""The work of commitments and proofs, done in other processes and counted in the round's figures."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Literal, TypeVar

from fedcli.core.rounds import RoundContext
from fedcli.crypto.norm_proofs.jobs import timed
from fedcli.crypto.workers import elsewhere, spread

Item = TypeVar("Item")
Result = TypeVar("Result")


def proving(context: RoundContext, work: Callable[..., Result], *args: Any) -> Result:
    """What `work` returns; its seconds are added to the round's `proofs/prove_seconds`."""
    return _counted(context, "prove", elsewhere(timed, work, *args))


def verifying(context: RoundContext, work: Callable[..., Result], *args: Any) -> Result:
    """What `work` returns; its seconds are added to the round's `proofs/verify_seconds`."""
    return _counted(context, "verify", elsewhere(timed, work, *args))


def verifying_each(
    context: RoundContext, work: Callable[[Sequence[Item]], list[Result]], items: Sequence[Item]
) -> list[Result]:
    """`work` on all items, on every core at the same time; counted as by `verifying`."""
    on_piece: Callable[[Sequence[Item]], tuple[list[Result], float]] = partial(timed, work)
    pieces = spread(on_piece, items)
    return [each for piece in pieces for each in _counted(context, "verify", piece)]


def _counted(context: RoundContext, what: Literal["prove", "verify"], made: tuple[Result, float]) -> Result:
    result, seconds = made
    context.meter.add(f"proofs/{what}_seconds", seconds)
    return result
