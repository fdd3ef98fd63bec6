"""Order and repetition of work on workers that can be lost: results in the order of the items, whoever dies."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import chain, islice
from typing import Any, NamedTuple, Protocol, TypeAlias

from fedcli.core.errors import LostWorkersError

_ATTEMPTS = 3
"""How often a task is tried that ends its worker. Tasks that only waited on a lost worker do not count."""

_LOSSES_IN_A_ROW = 4
"""After so many losses a worker without any result in between, it is not chance: the run ends."""

_LARGEST_CHUNK, _CHUNKS_PER_WORKER = 64, 16
"""So many small items travel together at most. With so many pieces each, one worker with long items stalls nobody."""

WAY_ON = (
    "Resume the run with `fedcli run --resume` when its machines have more memory free; or, to the same bits, with "
    "fewer workers, as in --set executor.workers=1, or with --set executor=threads."
)
"""What a user can do whose workers are lost again and again."""

_MOST_SINGLE_BLOCKS = 64
"""Blocks of which results travel one by one at most: about a thousand clients, and the rest as sums."""


class Piece(NamedTuple):
    """Items that one worker does one after another.

    Args:
        number: its place in the order of the results.
        items: the items.
        folds: whether the worker folds the results of the items into one (`core.roles.Foldable`).
    """

    number: int
    items: tuple[Any, ...]
    folds: bool = False


class Done(NamedTuple):
    """A task whose results are there.

    Args:
        task: the task.
        results: returns one result for each item, or raises the error of the work.
    """

    task: Piece
    results: Callable[[], Sequence[Any]]


class Lost(NamedTuple):
    """A worker that died.

    Args:
        task: what it was doing; None if it had nothing to do, or had not begun.
        waiting: what it would have done next.
        cause: why, as far as that is known.
    """

    task: Piece | None
    waiting: Sequence[Piece]
    cause: str


class Late(NamedTuple):
    """A task that did not end in time, and whose worker was ended for that.

    Args:
        task: the task.
        waiting: what the worker would have done next.
    """

    task: Piece
    waiting: Sequence[Piece]


Event: TypeAlias = Done | Lost | Late


class Crew(Protocol):
    """Workers, as seen from the order of the work."""

    @property
    def num_workers(self) -> int:
        """How many there are when none is lost."""
        ...

    def offer(self, task: Piece) -> bool:
        """Give a task to a worker that has room for it; False if none has."""
        ...

    def wait(self) -> Sequence[Event]:
        """What happened, as soon as something has."""
        ...


def dispatched(
    crew: Crew, tasks: Iterator[Piece], *, window: int, give_up: Callable[[Any], Any]
) -> Iterator[Any]:
    """Yield the results of all items, lazily and in the order of the tasks.

    A task of a lost worker is done again by another one.

    Args:
        crew: the workers.
        tasks: numbered from 0, without gaps.
        window: how many tasks are under way, or done and not yet asked for.
        give_up: the result of an item that did not end in time.

    Raises:
        LostWorkersError: if a task ends its worker three times, or workers are lost as fast as they are replaced.
    """
    again: deque[Piece] = deque()
    under_way: set[int] = set()
    done: dict[int, Callable[[], Sequence[Any]]] = {}
    tries: Counter[int] = Counter()
    turn = losses = 0
    while True:
        # Repeated tasks come first: the results of all others wait for them.
        while again and crew.offer(again[0]):
            under_way.add(again.popleft().number)
        while not again and len(under_way) + len(done) < window and (task := next(tasks, None)):
            if crew.offer(task):
                under_way.add(task.number)
            else:
                again.append(task)
        if turn in done:
            yield from done.pop(turn)()
            turn += 1
            continue
        if not under_way and not again:
            return
        for event in crew.wait():
            if isinstance(event, Done):
                done[event.task.number], losses = event.results, 0
                under_way.discard(event.task.number)
                continue
            back = list(event.waiting)
            if isinstance(event, Late):
                # A task that folds has no limit of time, so that this is one item.
                under_way.discard(event.task.number)
                done[event.task.number] = partial(_given_up, event.task, give_up)
            else:
                losses += 1
                _require_chance(event, losses, crew.num_workers)
                if event.task is not None:
                    tries[event.task.number] += 1
                    _require_another_try(event, tries[event.task.number])
                    back.insert(0, event.task)
            under_way.difference_update(task.number for task in back)
            again = deque(sorted([*again, *back]))


def in_blocks(blocks: Sequence[Sequence[Any]], workers: int) -> Iterator[Piece]:
    """Whole blocks that are folded, and the items of the last wave one by one if whole blocks leave workers idle there.

    A wave is a block for each worker. In the last one blocks may be missing, or the last block may be a short one. If
    less than three quarters of the workers' time would be used, all of them take single items of it, unless so many
    results would have to travel.
    """
    left = len(blocks) % workers or min(len(blocks), workers)
    wave = [len(block) for block in blocks[len(blocks) - left :]]
    is_idle = 4 * sum(wave) < 3 * workers * max(wave, default=0)
    folded = len(blocks) - (left if is_idle and left <= _MOST_SINGLE_BLOCKS else 0)
    for number, block in enumerate(blocks[:folded]):
        yield Piece(number, tuple(block), folds=True)
    yield from one_by_one(chain.from_iterable(blocks[folded:]), first=folded)


def _given_up(task: Piece, give_up: Callable[[Any], Any]) -> Sequence[Any]:
    return [give_up(item) for item in task.items]


def one_by_one(items: Iterator[Any], first: int = 0) -> Iterator[Piece]:
    """A task for each item."""
    return (Piece(number, (item,)) for number, item in enumerate(items, start=first))


def in_chunks(items: Sequence[Any], workers: int) -> Iterator[Piece]:
    """Neighbouring items together, if there are many for each worker: a message takes longer than a small item."""
    size = min(max(len(items) // (workers * _CHUNKS_PER_WORKER), 1), _LARGEST_CHUNK)
    firsts = range(0, len(items), size)
    return (Piece(number, tuple(items[first : first + size])) for number, first in enumerate(firsts))


def lost_sentence(what: str, cause: str, items: Sequence[Any]) -> str:
    """What a round's row says of a loss: who or what, why, and which clients were trained again."""
    return f"{what} was lost ({cause}){f'; {named(items)} trained again' if items else ''}"


def named(items: Sequence[Any]) -> str:
    """Items in a sentence: clients by their numbers, at most five."""
    if not all(hasattr(item, "client") for item in items):
        return f"{len(items)} pieces of work" if len(items) > 1 else "a piece of work"
    numbers = [str(item.client) for item in islice(items, 5)]
    more = f" and {len(items) - 5} more" if len(items) > 5 else ""
    return f"client{'s' if len(items) > 1 else ''} {', '.join(numbers)}{more}"


def _require_chance(lost: Lost, losses: int, workers: int) -> None:
    if losses > _LOSSES_IN_A_ROW * workers:
        raise LostWorkersError(
            f"{losses} workers were lost one after another, and none did any work in between. The last one: "
            f"{lost.cause}.\n{WAY_ON}"
        )


def _require_another_try(lost: Lost, tries: int) -> None:
    if lost.task is not None and tries == _ATTEMPTS:
        raise LostWorkersError(
            f"{tries} workers were lost at {named(lost.task.items)}. The last one: {lost.cause}.\n{WAY_ON}"
        )
