"""Hooks into a run: no event bus."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from fedcli.core.rounds import RoundState

Record = Mapping[str, Any]
"""One line of metrics.jsonl."""


def _no_start(_records: Sequence[Record]) -> str | None:
    return None


def _no_reason(_state: RoundState, _record: Record) -> str | None:
    return None


def _no_end(_state: RoundState, _records: Sequence[Record]) -> None:
    return None


class Callback(NamedTuple):
    """What a user may do at certain moments of a run.

    Args:
        on_start: the records so far (not empty when a run is resumed) -> a reason to stop, or None.
        on_round_end: `(state, record)` after the round is committed -> a reason to stop, or None.
        on_end: `(state, records)` at the normal end of a run.
        should_stop: `(state, record)` before the round is committed -> a reason to stop, or None. With a reason, this
            round is the last one and is evaluated in any case. It must be fast; slow work belongs in `on_round_end`.
    """

    on_start: Callable[[Sequence[Record]], str | None] = _no_start
    on_round_end: Callable[[RoundState, Record], str | None] = _no_reason
    on_end: Callable[[RoundState, Sequence[Record]], None] = _no_end
    should_stop: Callable[[RoundState, Record], str | None] = _no_reason
