"""The callbacks of a run, called in their order: each hears of every moment, even if an earlier one stops the run."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import final

from fedcli.components.callbacks.callback import Callback, Record, RunContext
from fedcli.core.rounds import RoundState


@final
class Hooks:
    """The callbacks of one run.

    Args:
        callbacks: in the order of the config.
        run: what each of them receives.
    """

    def __init__(self, callbacks: Sequence[Callback], run: RunContext) -> None:
        self._callbacks, self._run = callbacks, run

    def start(self, records: Sequence[Record]) -> str | None:
        """The first reason to stop before the first round of this process; None to go on."""
        return _first(each.on_start(self._run, records) for each in self._callbacks)

    def should_stop(self, state: RoundState, record: Record) -> str | None:
        """The first reason to make this round the last one; None to go on."""
        shown = state.without_secrets()
        return _first(each.should_stop(self._run, shown, record) for each in self._callbacks)

    def round_end(self, state: RoundState, record: Record) -> str | None:
        """The first reason to stop after a committed round; None to go on."""
        shown = state.without_secrets()
        return _first(each.on_round_end(self._run, shown, record) for each in self._callbacks)

    def end(self, state: RoundState, records: Sequence[Record]) -> None:
        """The normal end of the run."""
        shown = state.without_secrets()
        for each in self._callbacks:
            each.on_end(self._run, shown, records)

    def close(self) -> None:
        """The end of the run, however it ended; a callback that fails here costs nothing but a warning."""
        for each in self._callbacks:
            try:
                each.close()
            # The run is over, and its own error, if there is one, matters more.
            except Exception as error:  # noqa: BLE001
                self._run.warn(f"a callback could not be closed ({type(error).__name__}: {error}).")


def _first(reasons: Iterable[str | None]) -> str | None:
    # A list, so that every callback is called even if an earlier one stops the run.
    return next((reason for reason in list(reasons) if reason), None)
