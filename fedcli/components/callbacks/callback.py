"""Hooks into a run: no event bus."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from fedcli.config import Experiment
from fedcli.core.rounds import RoundState
from fedcli.core.types import KerasModel

Record = Mapping[str, Any]
"""One line of metrics.jsonl."""


@dataclass(frozen=True)
class RunContext:
    """What every hook of a callback receives of its run.

    Args:
        folder: the run directory. A callback writes into a folder of its own below it.
        id: names the run; random, and the same when it is resumed.
        experiment: the config, complete with defaults.
        model: state -> a new Keras model with the global weights of that state; built when it is called.
        picture: records -> the curves of these rounds as a PNG, as in curves.png; None if there is nothing to draw.
        warn: tells the user something, as a sentence, and lets the run go on.
    """

    folder: Path
    id: str
    experiment: Experiment
    model: Callable[[RoundState], KerasModel]
    picture: Callable[[Sequence[Record]], bytes | None]
    warn: Callable[[str], None]


def _no_start(_run: RunContext, _records: Sequence[Record]) -> str | None:
    return None


def _no_reason(_run: RunContext, _state: RoundState, _record: Record) -> str | None:
    return None


def _no_end(_run: RunContext, _state: RoundState, _records: Sequence[Record]) -> None:
    return None


def _nothing_to_close() -> None:
    return None


class Callback(NamedTuple):
    """What a user may do at certain moments of a run. States come without the secrets of noise and keys.

    Args:
        on_start: `(run, records)` with the records so far (not empty when a run is resumed) -> a reason to stop, or
            None.
        on_round_end: `(run, state, record)` after the round is committed -> a reason to stop, or None.
        on_end: `(run, state, records)` at the normal end of a run.
        should_stop: `(run, state, record)` before the round is committed -> a reason to stop, or None. With a reason,
            this round is the last one and is evaluated in any case. It must be fast; slow work belongs in
            `on_round_end`.
        close: called last, however the run ends, to close files and connections.
    """

    on_start: Callable[[RunContext, Sequence[Record]], str | None] = _no_start
    on_round_end: Callable[[RunContext, RoundState, Record], str | None] = _no_reason
    on_end: Callable[[RunContext, RoundState, Sequence[Record]], None] = _no_end
    should_stop: Callable[[RunContext, RoundState, Record], str | None] = _no_reason
    close: Callable[[], None] = _nothing_to_close
