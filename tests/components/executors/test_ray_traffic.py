"""What the executor `ray` sends, to whom and how often, with a Ray that calls its actors at once in this process."""

import sys
from concurrent.futures import Future
from types import SimpleNamespace
from typing import NamedTuple

import numpy as np
import pytest

from fedcli.components.executors import actor as actor_module
from fedcli.components.executors import crew as crew_module
from fedcli.components.executors.parcels import packed, unpacked
from fedcli.components.executors.ray import RayExecutor

ray = pytest.importorskip("ray", reason="pip install 'fedcli[ray]'")
WEIGHTS = 1000


class Updates(NamedTuple):
    """Clients whose update is the model plus their number; a worker may send the sum of 16.

    Args:
        model: float32, shape [P].
        sums: whether it may.
    """

    model: np.ndarray
    sums: bool = False

    def begin(self):
        return lambda client: self.model + np.float32(client)

    @property
    def result_bytes(self):
        return self.model.nbytes

    def blocks(self, clients):
        return [clients[first : first + 16] for first in range(0, len(clients), 16)] if self.sums else ()

    def fold(self, updates):
        return [np.sum(updates, axis=0, dtype=np.float64), *[None] * (len(updates) - 1)]


class Figures(NamedTuple):
    """An evaluation, of which each item's result is small."""

    def begin(self):
        return lambda client: {"client": client}


class CalledAtOnce:
    """A method of an actor."""

    def __init__(self, method):
        self._method = method

    def remote(self, *values):
        future = Future()
        future.set_result(self._method(*values))
        return future


@pytest.fixture
def record(monkeypatch):
    """The actors that were started, the tasks that they did, and what was put into shared memory."""
    found = SimpleNamespace(actors=0, done=0, put=[])

    class Actor:
        def __init__(self, surroundings):
            found.actors += 1
            worker = actor_module.Worker(surroundings)
            self.prepare, self.begin = CalledAtOnce(worker.prepare), CalledAtOnce(worker.begin)

            def do(*values):
                found.done += 1
                return worker.do(*values)

            self.do = CalledAtOnce(do)

    def put(value):
        found.put.append(value)
        return value

    module = sys.modules[RayExecutor.__module__]
    # What would load TensorFlow, or start processes.
    for place, name in ((module, "limit_tensorflow_threads"), (module, "join"), (actor_module, "_prepare")):
        monkeypatch.setattr(place, name, lambda *_: None)
    monkeypatch.setattr(crew_module, "surroundings", lambda: None)
    for name in ("cluster_resources", "available_resources"):
        monkeypatch.setattr(ray, name, dict)
    monkeypatch.setattr(
        ray, "remote", lambda _: SimpleNamespace(options=lambda **_: SimpleNamespace(remote=Actor))
    )
    monkeypatch.setattr(ray, "put", put)
    monkeypatch.setattr(ray, "get", lambda reference, timeout=None: reference.result(timeout=0))
    monkeypatch.setattr(ray, "wait", lambda references, num_returns, timeout: (references[:num_returns], []))
    monkeypatch.setattr(ray, "kill", lambda _: None)
    return found


def test_a_run_has_one_set_of_actors_and_puts_what_a_round_sends_once(record):
    executor = RayExecutor(3, None, 0.0, None)
    model = np.zeros(WEIGHTS, np.float32)
    for _ in range(4):
        updates = list(executor.run(Updates(model), range(20)))
        assert [update[0] for update in updates] == list(range(20))
    assert record.actors == 3
    assert len(record.put) == 4
    executor.close()


def test_the_only_copies_of_a_model_are_those_of_shared_memory(record):
    executor = RayExecutor(1, None, 0.0, None)
    model = np.zeros(WEIGHTS, np.float32)
    list(executor.run(Updates(model), range(2)))
    (parcel,) = record.put
    (sent,) = parcel.arrays
    # `ray.put` makes one; before it and on the worker there is none.
    assert np.shares_memory(sent, model)
    assert np.shares_memory(unpacked(parcel).model, sent)
    executor.close()


def test_a_cohort_that_workers_add_sends_an_eighth_of_the_bytes(record):
    executor = RayExecutor(4, None, 0.0, None)
    model, traffic = np.ones(WEIGHTS, np.float32), {}
    for sums in (True, False):
        before = executor.traffic
        results = list(executor.run(Updates(model, sums), range(320)))
        total = np.sum([each for each in results if each is not None], axis=0)
        np.testing.assert_array_equal(total, np.full(WEIGHTS, 320 + 319 * 160))
        traffic[sums] = [now - was for now, was in zip(executor.traffic, before, strict=True)]
    (sent, summed), (_, single) = traffic[True], traffic[False]
    answer = packed((True, [None])).num_bytes
    # 20 sums in float64, or 320 updates in float32; around them are a few hundred bytes.
    assert 20 * 8 * WEIGHTS < summed < 20 * (8 * WEIGHTS + 10 * answer)
    assert 320 * 4 * WEIGHTS < single < 320 * (4 * WEIGHTS + 10 * answer)
    # The model once, and the numbers of the clients.
    assert 4 * WEIGHTS < sent < 4 * WEIGHTS + 20 * 200
    executor.close()


def test_clients_are_evaluated_in_chunks(record):
    executor = RayExecutor(2, None, 0.0, None)
    rows = list(executor.run(Figures(), range(10_000)))
    assert [row["client"] for row in rows] == list(range(10_000))
    assert record.done == 10_000 // 64 + 1
    list(executor.run(Updates(np.zeros(WEIGHTS, np.float32)), range(1000)))
    assert record.done == 10_000 // 64 + 1 + 1000
    executor.close()
