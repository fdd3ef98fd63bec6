"""Work on workers that die: results in order, each task again that was lost, and an end where it is no chance."""

import itertools
from collections import deque
from typing import NamedTuple

import pytest

from fedcli.components.executors.dispatch import (
    Done,
    Late,
    Lost,
    Piece,
    dispatched,
    in_blocks,
    in_chunks,
    named,
    one_by_one,
)
from fedcli.core.errors import RunError


class FakeCrew:
    """Workers that square, in an order of their own; `dies` says of each try of a task whether its worker dies."""

    def __init__(self, num_workers=2, dies=lambda number, tries: False, late=(), backwards=True, blames=True):
        self.num_workers, self._dies, self._late = num_workers, dies, late
        self._backwards, self._blames = backwards, blames
        self._doing, self.tries, self.most = deque(), itertools.count(), 0
        self._tried = {}

    def offer(self, task):
        if len(self._doing) == 2 * self.num_workers:
            return False
        self._doing.append(task)
        return True

    def wait(self):
        # Last in, first out: the opposite of the order that is asked for.
        task = self._doing.pop() if self._backwards else self._doing.popleft()
        tries = self._tried[task.number] = self._tried.get(task.number, 0) + 1
        if self._dies(task.number, tries):
            waiting = [self._doing.popleft()] if self._doing else []
            return [Lost(task, waiting, "a test") if self._blames else Lost(None, [task, *waiting], "a test")]
        if task.number in self._late:
            return [Late(task, [])]
        return [Done(task, lambda: [item * item for item in task.items])]


def results(crew, count, window=6):
    tasks = one_by_one(iter(range(count)))
    return list(dispatched(crew, tasks, window=window, give_up=lambda item: -item))


@pytest.mark.parametrize("count", [0, 1, 5, 40])
def test_results_are_in_the_order_of_the_items(count):
    assert results(FakeCrew(), count) == [item * item for item in range(count)]


def test_what_a_lost_worker_had_to_do_is_done_again_in_its_place():
    crew = FakeCrew(dies=lambda number, tries: number in (0, 7, 19) and tries <= 2)
    assert results(crew, 20) == [item * item for item in range(20)]


def test_a_task_that_ends_its_worker_three_times_ends_the_run():
    with pytest.raises(RunError, match=r"(?s)3 workers were lost at a piece of work.*a test.*--resume"):
        results(FakeCrew(dies=lambda number, _tries: number == 3), 9)


def test_workers_that_are_lost_without_a_task_of_their_own_cost_no_attempt_but_not_for_ever():
    crew = FakeCrew(dies=lambda number, tries: tries <= 3, blames=False, backwards=False)
    assert results(crew, 2) == [0, 1]
    with pytest.raises(RunError, match=r"(?s)9 workers were lost one after another.*--set executor=threads"):
        results(FakeCrew(dies=lambda number, _tries: True, blames=False), 2)


def test_an_item_that_is_late_is_given_up_in_its_place():
    assert results(FakeCrew(late=(2,)), 5) == [0, 1, -2, 9, 16]


@pytest.mark.parametrize("window", [1, 4, 9])
def test_items_are_taken_no_further_ahead_than_the_window(window):
    taken = itertools.count(1)
    last = 0

    def items():
        nonlocal last
        for item in range(50):
            last = next(taken)
            yield item

    found = dispatched(FakeCrew(3), one_by_one(items()), window=window, give_up=str)
    for consumed, _ in enumerate(found, start=1):
        assert last - consumed <= window
    assert last == 50


def test_a_task_of_several_items_has_one_result_each():
    tasks = iter([Piece(0, (1, 2, 3)), Piece(1, (4,)), Piece(2, ())])
    assert list(dispatched(FakeCrew(), tasks, window=4, give_up=str)) == [1, 4, 9, 16]


@pytest.mark.parametrize(
    ("blocks", "workers", "folded"),
    [
        (0, 2, 0),
        (1, 2, 0),
        (2, 2, 2),
        (7, 2, 6),
        (20, 2, 20),
        (3, 4, 3),
        (2, 4, 0),
        (40, 1000, 0),
        (625, 8000, 625),
    ],
)
def test_blocks_are_folded_where_that_leaves_no_worker_idle_or_spares_a_thousand_results(
    blocks, workers, folded
):
    pieces = list(in_blocks([[2 * number, 2 * number + 1] for number in range(blocks)], workers))
    assert [piece.number for piece in pieces] == list(range(len(pieces)))
    assert [item for piece in pieces for item in piece.items] == list(range(2 * blocks))
    assert [piece.folds for piece in pieces] == [True] * folded + [False] * 2 * (blocks - folded)


@pytest.mark.parametrize(
    ("last", "single"),
    [(16, 0), (9, 0), (8, 0), (7, 16 + 7), (4, 16 + 4)],
)
def test_a_short_last_block_is_shared_with_the_block_beside_it(last, single):
    lengths = [16, 16, 16, last]
    pieces = list(in_blocks([range(length) for length in lengths], workers=2))
    assert sum(len(piece.items) for piece in pieces) == sum(lengths)
    assert sum(len(piece.items) for piece in pieces if not piece.folds) == single


@pytest.mark.parametrize(
    ("count", "workers", "messages", "largest"),
    [(0, 2, 0, 0), (50, 2, 50, 1), (100, 2, 34, 3), (100_000, 8, 1563, 64), (100_000, 8000, 100_000, 1)],
)
def test_many_small_items_travel_together(count, workers, messages, largest):
    pieces = list(in_chunks(range(count), workers))
    assert [item for piece in pieces for item in piece.items] == list(range(count))
    assert [piece.number for piece in pieces] == list(range(messages))
    assert max((len(piece.items) for piece in pieces), default=0) == largest
    assert not any(piece.folds for piece in pieces)


class Turn(NamedTuple):
    client: int


def test_items_have_their_clients_names():
    assert named([Turn(4)]) == "client 4"
    assert named([Turn(client) for client in range(7)]) == "clients 0, 1, 2, 3, 4 and 2 more"
    assert named([0, 500]) == "2 pieces of work"
