"""Interfaces that the engine needs: a runtime that trains clients, and an executor that runs their work."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

from fedcli.core.rounds import (
    Assignment,
    Broadcast,
    ClientData,
    ClientUpdate,
)
from fedcli.core.types import Array, Item, Item_contra, Result, Result_co, Tree


class FederationLike(Protocol):
    """What the clients' side uses of a federation: one client's data, made when it is asked for."""

    def client(self, client: int) -> ClientData:
        """The data of one client."""
        ...


class ClientRuntime(Protocol):
    """One client's work, for executors to call from any thread."""

    @property
    def compiler(self) -> str:
        """What compiles the client program; it changes bits, so it is recorded with the run."""
        ...

    def prepare(self, broadcast: Broadcast) -> Any:
        """Bring a round's broadcast to the device, once for all clients."""
        ...

    def personal(self, broadcast: Broadcast, state: Tree) -> Any:
        """Bring one client's own model to the device: the broadcast, with the parts that the client keeps."""
        ...

    def train(self, start: Any, assignment: Assignment) -> ClientUpdate:
        """Train one client and return its update before any transform, or raise `InvalidUpdateError`."""
        ...

    def measure(self, start: Any, x: Array, y: Array) -> Mapping[str, float]:
        """Sums of the loss and the metrics over the examples, at the weights of `start`."""
        ...

    def predict(self, start: Any, x: Array) -> Array:
        """The probability of each class for each example, shape [B, C], at the weights of `start`."""
        ...


class Work(Protocol[Item_contra, Result_co]):
    """Work on many items as a value, which an executor may send to other processes: it can be pickled."""

    def begin(self) -> Callable[[Item_contra], Result_co]:
        """Return the function of one item. Called once in each process; the function is called from any thread."""
        ...


@runtime_checkable
class Foldable(Protocol):
    """Work of which a worker can fold the results of neighbouring items, so that less of them travels."""

    def blocks(self, items: Iterable[Any]) -> Sequence[Sequence[Any]]:
        """The items in the pieces that one worker folds; none, and no item is taken, if nothing can be folded."""
        ...

    def fold(self, results: Sequence[Any]) -> Sequence[Any]:
        """The results of a piece after they are folded, one for each item. Called where they were made."""
        ...


@runtime_checkable
class Abandonable(Protocol[Item_contra, Result_co]):
    """Work of which an item that does not end can be given up."""

    def give_up(self, item: Item_contra, reason: str) -> Result_co:
        """The result of an item that was ended from outside, or an error if the run cannot go on without it."""
        ...


@runtime_checkable
class Bulky(Protocol):
    """Work whose results may be large."""

    @property
    def result_bytes(self) -> int:
        """About how much memory a result takes, so that an executor can bound what it holds."""
        ...


@runtime_checkable
class InBlocks(Protocol[Item_contra, Result_co]):
    """Work of which several items can be done at once, by one program."""

    def begin_blocks(self) -> Callable[[Sequence[Item_contra]], Sequence[Result_co]]:
        """Return the function of a block of items, or raise a `ConfigError` that says why there is none."""
        ...

    def length(self, item: Item_contra) -> int:
        """How long an item takes beside others: those of a similar length are put into one block."""
        ...


class BlockRuntime(Protocol):
    """The training of several clients by one program."""

    def program(self) -> object:
        """Trace the program, or raise a `ConfigError` that says why these clients have none."""
        ...

    def num_steps(self, num_examples: int) -> int:
        """The number of batches of a client."""
        ...

    def train(self, start: Any, assignments: Sequence[Assignment]) -> Sequence[ClientUpdate]:
        """Train clients that all have examples, from the same broadcast; the updates are in their order."""
        ...


@runtime_checkable
class InProcesses(Protocol):
    """An executor whose workers are processes, each with memory of its own."""

    @property
    def processes_per_machine(self) -> int:
        """How many of them share the memory of a machine, as far as that is known before they start."""
        ...


@runtime_checkable
class Executor(Protocol):
    """Where work on clients is done. It holds workers, so it is closed at the end."""

    @property
    def num_workers(self) -> int:
        """Items that are worked on at the same time."""
        ...

    def run(self, work: Work[Item, Result], items: Iterable[Item]) -> Iterator[Result]:
        """Yield the result of each item lazily, in the order of `items`, holding a window of results at most."""
        ...

    def close(self) -> None:
        """Stop the workers."""
        ...


@runtime_checkable
class Choosing(Protocol):
    """An executor that decides before the first round how it will work."""

    @property
    def chosen(self) -> str:
        """The name of the executor that it chose."""
        ...

    @property
    def choice(self) -> str:
        """What it chose and why."""
        ...

    def choose(self, work: Work[Any, Any], num_items: float) -> None:
        """Choose for a run, from work on its clients and the planned number of items of a round."""
        ...


@runtime_checkable
class Replacing(Protocol):
    """An executor whose workers can be lost, alone or with their machine, and are replaced."""

    @property
    def lost(self) -> Sequence[str]:
        """For each worker that was lost so far, a sentence: where, why, and which clients were trained again."""
        ...


def lost_workers(executor: Executor) -> Sequence[str]:
    """A sentence for each worker that an executor has lost so far."""
    return executor.lost if isinstance(executor, Replacing) else ()
