"""The callbacks of a run, called in their order: each hears of every moment, even if an earlier one stops the run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import final

from fedcli.components.callbacks.callback import Callback, Record, RunContext
from fedcli.core.rounds import RoundState
from fedcli.core.user_code import blamed

_RECEIVES = {
    "on_start": "run, records",
    "should_stop": "run, state, record",
    "on_round_end": "run, state, record",
    "on_end": "run, state, records",
}


@final
class Hooks:
    """The callbacks of one run.

    Args:
        callbacks: in the order of the config.
        run: what each of them receives.
    """

    def __init__(self, callbacks: Sequence[Callback], run: RunContext) -> None:
        self._callbacks, self._run = callbacks, run
        # Those that the config names come first, and one of fedcli's own may follow.
        named = [] if run.experiment is None else [part.name for part in run.experiment.callbacks]
        self._names = [*(f"the callback {name}" for name in named), *(["early_stop"] * len(callbacks))]

    def start(self, records: Sequence[Record]) -> str | None:
        """The first reason to stop before the first round of this process; None to go on."""
        return self._first("on_start", lambda each: each.on_start(self._run, records))

    def should_stop(self, state: RoundState, record: Record) -> str | None:
        """The first reason to make this round the last one; None to go on."""
        shown = state.without_secrets()
        return self._first(
            "should_stop", lambda each: each.should_stop(self._run, shown, record), state.round
        )

    def round_end(self, state: RoundState, record: Record) -> str | None:
        """The first reason to stop after a committed round; None to go on."""
        shown = state.without_secrets()
        return self._first(
            "on_round_end", lambda each: each.on_round_end(self._run, shown, record), state.round
        )

    def end(self, state: RoundState, records: Sequence[Record]) -> None:
        """The normal end of the run."""
        shown = state.without_secrets()
        self._first("on_end", lambda each: each.on_end(self._run, shown, records), state.round)

    def close(self) -> None:
        """The end of the run, however it ended; a callback that fails here costs nothing but a warning."""
        for each in self._callbacks:
            try:
                each.close()
            # The run is over, and its own error, if there is one, matters more.
            except Exception as error:  # noqa: BLE001
                self._run.warn(f"a callback could not be closed ({type(error).__name__}: {error}).")

    def _first(
        self, hook: str, call: Callable[[Callback], str | None], round: int | None = None
    ) -> str | None:
        """Call a hook of all callbacks, even if an earlier one stops the run, and return the first reason."""
        reasons = []
        for index, each in enumerate(self._callbacks):
            # With what a hook receives: one with other arguments is the most frequent fault.
            with blamed(
                f"{hook}({_RECEIVES[hook]}) of {self._names[index]}",
                "" if round is None else f"round {round}",
                of=getattr(each, hook),
            ):
                reason = call(each)
                if not isinstance(reason, str | None):
                    raise TypeError(
                        f"it returned a {type(reason).__name__}; a reason to stop (text) or None is expected"
                    )
                reasons.append(reason)
        return next((reason for reason in reasons if reason), None)
