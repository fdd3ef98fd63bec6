"""What an executor gives of a round: one outcome for each client, in the order in which it was asked for them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from fedcli.core.roles import Executor
from fedcli.core.rounds import Absence, ClientUpdate, Outcome, Rejection
from fedcli.core.user_code import blamed
from fedcli.engine.client_work import ClientWork
from fedcli.engine.turns import Turn

_END = object()


def executed(executor: Executor, work: ClientWork, turns: Sequence[Turn]) -> Iterator[Outcome]:
    """The outcomes of the clients, lazily.

    Raises:
        ComponentError: if the executor fails, or gives something else than one outcome for each client in their order.
    """
    done = 0
    results: Iterator[object] = iter(())
    try:
        while True:
            # Here, since outcomes are drawn by an aggregator, which is not to blame.
            what, made = f"the executor {type(executor).__name__}", getattr(executor, "run", None)
            with blamed(what, f"round {work.context.round}", of=made):
                if not done:
                    results = iter(executor.run(work, turns))
                outcome = next(results, _END)
                if outcome is _END and done == len(turns):
                    return
                if outcome is _END or done == len(turns):
                    found = done if outcome is _END else f"more than {done}"
                    raise ValueError(f"it gave {found} outcomes of {len(turns)} clients")
                if not isinstance(outcome, ClientUpdate | Rejection | Absence):
                    raise TypeError(f"it gave a {type(outcome).__name__}; what the work returns is expected")
                if outcome.client != turns[done].client:
                    raise ValueError(
                        f"it gave the outcome of client {outcome.client}; that of client {turns[done].client} is next"
                    )
            done += 1
            yield outcome
            # The next one is waited for without it: an update may be as large as the model.
            del outcome
    finally:
        # Whoever stops early lets the executor cancel what is pending.
        getattr(results, "close", lambda: None)()
