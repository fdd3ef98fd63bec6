"""A thread pool that keeps the order, holds a window and drops what nobody waits for."""

import itertools
import threading
from typing import NamedTuple

import pytest

from fedcli.components.executors import EXECUTORS
from fedcli.components.executors.threads import ThreadsExecutor
from fedcli.core.errors import ConfigError
from fedcli.core.machine import available_cores

WINDOW_PER_WORKER = 5


class Each(NamedTuple):
    """A function of an item as work."""

    act: object

    def begin(self):
        return self.act


class Failed(Exception):
    pass


@pytest.fixture(params=[1, 2, 3])
def pool(request, executors):
    return executors[request.param]


def test_results_come_in_the_order_of_the_items_whoever_is_first(executors):
    second_is_done = threading.Event()

    def work(item):
        if item == 0:
            assert second_is_done.wait(timeout=300)
        if item == 1:
            second_is_done.set()
        return item

    assert list(executors[2].run(Each(work), range(8))) == list(range(8))


@pytest.mark.parametrize("count", [0, 1, 4, 5, 6, 40])
def test_every_item_is_worked_on_once(pool, count):
    done = []
    assert list(pool.run(Each(lambda item: (done.append(item), item)[1]), range(count))) == list(range(count))
    assert sorted(done) == list(range(count))


def test_items_are_taken_no_further_ahead_than_the_window(pool):
    taken = itertools.count(1)
    last = 0

    def items():
        nonlocal last
        for item in range(100):
            last = next(taken)
            yield item

    results = pool.run(Each(lambda item: item), items())
    assert last == 0
    for consumed, _ in enumerate(results, start=1):
        assert last - consumed <= WINDOW_PER_WORKER * pool.num_workers
    assert last == 100


class Large(NamedTuple):
    """Work with results of a gigabyte each, which this test does not make."""

    result_bytes = 2**30

    def begin(self):
        return lambda item: item


def test_of_large_results_each_worker_makes_one_at_a_time(pool):
    taken = []
    items = (taken.append(item) or item for item in range(20))
    for consumed, _ in enumerate(pool.run(Large(), items), start=1):
        assert len(taken) - consumed <= pool.num_workers
    assert len(taken) == 20


def test_endless_items_are_no_trouble(pool):
    results = pool.run(Each(lambda item: item * item), itertools.count())
    assert [next(results) for _ in range(50)] == [item * item for item in range(50)]
    results.close()


def test_closing_early_drops_the_work_that_waits(executors):
    pool, started, go = executors[1], [], threading.Event()

    def work(item):
        started.append(item)
        assert item == 0 or go.wait(timeout=300)
        return item

    results = pool.run(Each(work), range(100))
    assert next(results) == 0
    results.close()
    go.set()
    assert list(pool.run(Each(lambda item: item), ["after"])) == ["after"]  # behind all that was still queued
    assert set(started) <= {0, 1}


def test_an_error_of_the_work_reaches_the_caller_and_drops_the_rest(pool):
    started = []

    def work(item):
        started.append(item)
        if item == 2:
            raise Failed(item)
        return item

    results = pool.run(Each(work), range(1000))
    with pytest.raises(Failed, match="2"):
        list(results)
    assert len(started) <= 3 + WINDOW_PER_WORKER * pool.num_workers
    assert list(pool.run(Each(str), [1])) == ["1"]


def test_an_error_of_the_items_reaches_the_caller(pool):
    def items():
        yield 0
        raise Failed("items")

    with pytest.raises(Failed, match="items"):
        list(pool.run(Each(str), items()))


@pytest.mark.parametrize("workers", [1, 2, 3])
def test_no_more_workers_than_asked_for_are_busy(workers):
    pool, go, busy = ThreadsExecutor(workers), threading.Event(), []
    before = {*threading.enumerate()}

    def items():
        # Nobody can finish, so every worker that the pool would ever start is at work when the window is full.
        yield from range(WINDOW_PER_WORKER * workers - 1)
        # Not those that were there before: one of another test may end meanwhile.
        busy.append(len({*threading.enumerate()} - before))
        go.set()

    assert all(pool.run(Each(lambda _item: go.wait(timeout=300)), items()))
    pool.close()
    assert busy == [workers]


def test_workers_work_at_the_same_time(executors):
    meeting = threading.Barrier(3, timeout=300)
    assert list(executors[3].run(Each(lambda _item: meeting.wait() >= 0), range(3))) == [True] * 3


def test_a_closed_executor_waits_for_what_is_under_way():
    pool, begun, finished = ThreadsExecutor(1), threading.Event(), []

    def work(_item):
        begun.set()
        finished.append(True)

    results = pool.run(Each(work), range(3))
    next(results)
    assert begun.is_set()
    pool.close()
    count = len(finished)
    assert 1 <= count <= 3
    with pytest.raises(RuntimeError):
        list(pool.run(Each(work), range(1)))


def test_the_default_is_a_worker_for_each_core():
    pool = EXECUTORS["threads"]()
    assert pool.num_workers == available_cores() >= 1
    pool.close()


def test_an_executor_without_workers_is_refused():
    with pytest.raises(ConfigError) as caught:
        EXECUTORS["threads"](workers=0)
    assert caught.value.key == "workers"


def test_tensorflow_uses_one_thread_within_an_operation(executors):
    import tensorflow as tf

    assert executors[2].num_workers == 2
    assert tf.config.threading.get_intra_op_parallelism_threads() == 1
