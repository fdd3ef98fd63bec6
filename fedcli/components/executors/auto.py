"""The choice between the executors `threads` and `vectorised`, by the model and the cohort."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, final

from fedcli.components.executors.gpus import default_workers
from fedcli.components.executors.threads import ThreadsExecutor, check_limits
from fedcli.components.executors.vectorised import VectorisedExecutor
from fedcli.core.errors import ConfigError
from fedcli.core.roles import Executor, InBlocks, Work
from fedcli.core.types import Item, Result

# With fewer clients a round mostly waits for those with most examples, of which each trains alone.
_FEWEST = 32


def auto(*, workers: int | None = None) -> Executor:
    """`vectorised` where it is supported and mostly pays, `threads` elsewhere; chosen by the config, never by a time.

    It is `vectorised` if two rules hold: `vectorised` supports the model and the local algorithm, and the planned
    cohort (the buffer of an asynchronous run) has at least 32 clients. With fewer clients a round mostly waits for
    those with most examples, of which each trains alone. Clients of one length are one block and keep one core busy,
    so that on many cores `threads` may be faster. The machine has no part in the choice, so that a run that is
    resumed elsewhere makes the same one. The first line of a run, `fedcli check` and environment.json say what was
    chosen and why. `processes` and `ray` are not chosen: they have the bits of `threads`, and serve what only a person
    knows.

    Args:
        workers: number of clients, or of blocks, that train at the same time, at least 1; by default the number of
            cores, or 1 where TensorFlow sees a GPU.

    Raises:
        ConfigError: if a value is outside its range.
    """
    check_limits(workers)
    return AutoExecutor(workers or default_workers())


def too_few(num_items: float) -> str | None:
    """Why blocks do not pay for so many planned clients in a round; None if they may."""
    if num_items >= _FEWEST:
        return None
    return (
        f"a round has {num_items:g} client{'' if num_items == 1 else 's'}, and blocks pay from {_FEWEST} on"
    )


def threads_since(reason: str) -> str:
    """The sentence about the choice of `threads`."""
    return f"threads, since {reason.rstrip('.')}"


@final
class AutoExecutor:
    """Threads, until `choose` finds that blocks are supported and pay."""

    def __init__(self, workers: int) -> None:
        self._chosen: ThreadsExecutor | VectorisedExecutor = ThreadsExecutor(workers)
        self.num_workers = workers
        self.choice = "threads"

    @property
    def program(self) -> str | None:
        """How several clients are trained by one program; None if they are not."""
        return self._chosen.program if isinstance(self._chosen, VectorisedExecutor) else None

    @property
    def chosen(self) -> str:
        """The name of the executor that was chosen."""
        return "vectorised" if isinstance(self._chosen, VectorisedExecutor) else "threads"

    def choose(self, work: Work[Any, Any], num_items: float) -> None:
        """Choose for a run, from the clients of `work` and the planned number of them in a round."""
        if few := too_few(num_items):
            self.choice = threads_since(few)
            return
        try:
            if isinstance(work, InBlocks):
                work.begin_blocks()
        except ConfigError as error:
            self.choice = threads_since(error.message)
            return
        self.choice = f"vectorised, since the model is tiny and a round has {num_items:g} clients"
        self._chosen.close()
        self._chosen = VectorisedExecutor(self.num_workers)

    def run(self, work: Work[Item, Result], items: Iterable[Item]) -> Iterator[Result]:
        """Yield the results in the order of `items`, as the chosen executor does."""
        return self._chosen.run(work, items)

    def close(self) -> None:
        """Wait for running work, and cancel the rest."""
        self._chosen.close()
