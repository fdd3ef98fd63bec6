"""Callbacks that pass on what a run measures to a tool that shows it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

from fedcli.components.callbacks.callback import Callback, Record, RunContext
from fedcli.config import Experiment, flat
from fedcli.core.rounds import RoundState


def _nothing_to_add(_run: RunContext, _state: RoundState, _records: Sequence[Record]) -> None:
    return None


class Tracker(NamedTuple):
    """An open connection to a tool.

    Args:
        log: passes on the record of a round.
        close: ends it; also after a run that was interrupted.
        finish: `(run, state, records)` at the normal end of a run, before `close`.
    """

    log: Callable[[Record], None]
    close: Callable[[], None]
    finish: Callable[[RunContext, RoundState, Sequence[Record]], None] = _nothing_to_add


def tracking(name: str, begin: Callable[[RunContext, Sequence[Record]], Tracker]) -> Callback:
    """A callback that passes on every round to a tool, and never fails the run: what fails is said, once.

    Args:
        name: of the component, for the sentence that says what failed.
        begin: `(run, records so far)` -> the open connection. The records are not empty when a run is resumed; it
            passes on those that the tool does not have yet.
    """
    opened: list[tuple[RunContext, Tracker]] = []

    def attempt(run: RunContext, act: Callable[[], None]) -> None:
        try:
            act()
        # A disk that is full, a server that is gone, a change of the library: whatever it is, the run goes on.
        except Exception as error:  # noqa: BLE001
            run.warn(_said(name, error))
            while opened:
                close()

    def open_(run: RunContext, records: Sequence[Record]) -> None:
        opened.append((run, begin(run, records)))

    def on_start(run: RunContext, records: Sequence[Record]) -> None:
        attempt(run, lambda: open_(run, records))

    def on_round_end(run: RunContext, _state: RoundState, record: Record) -> None:
        for _, tracker in opened[:]:
            attempt(run, lambda tracker=tracker: tracker.log(record))  # type: ignore[misc]

    def on_end(run: RunContext, state: RoundState, records: Sequence[Record]) -> None:
        for _, tracker in opened[:]:
            attempt(run, lambda tracker=tracker: tracker.finish(run, state, records))  # type: ignore[misc]

    def close() -> None:
        while opened:
            run, tracker = opened.pop()
            attempt(run, tracker.close)

    return Callback(on_start, on_round_end, on_end, close=close)


def parameters_of(experiment: Experiment) -> dict[str, str | int | float | bool]:
    """The config as dotted keys, such as `client.optimizer.learning_rate`; what is null is left out."""
    return dict(_leaves(flat(experiment), ""))


def metrics_of(record: Record) -> dict[str, float]:
    """The figures of a round that a tool can draw: numbers that are finite, without the round itself."""
    return {
        name: float(value)
        for name, value in record.items()
        if isinstance(value, int | float) and math.isfinite(value) and name != "round"
    }


def _leaves(value: object, key: str) -> Iterator[tuple[str, str | int | float | bool]]:
    if isinstance(value, Mapping):
        for name, below in value.items():
            yield from _leaves(below, f"{key}.{name}" if key else str(name))
    elif isinstance(value, list) and any(isinstance(each, Mapping) for each in value):
        for index, below in enumerate(value):
            yield from _leaves(below, f"{key}.{index}")
    elif value is not None and value != []:
        yield key, value if isinstance(value, str | int | float | bool) else str(value)


def _said(name: str, error: Exception) -> str:
    if isinstance(error, ModuleNotFoundError) and (error.name or "").split(".")[0] == name:
        return f"{name} is not installed, so nothing is passed on to it. Install it with: pip install 'fedcli[{name}]'"
    # Some libraries explain themselves in pages.
    reason = next((line for line in str(error).splitlines() if line.strip()), "")[:200]
    return f"{name} failed and gets nothing more of this run ({type(error).__name__}: {reason}). The run goes on."
