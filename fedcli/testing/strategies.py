"""The laws of a strategy, from local training to the weights of the next round."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from fedcli.components.executors import EXECUTORS
from fedcli.core.contracts import Strategy
from fedcli.core.errors import RunError
from fedcli.core.privacy_events import is_noised_by_clients
from fedcli.core.roles import ClientRuntime
from fedcli.core.rounds import Assignment, Broadcast, ClientUpdate, RoundState
from fedcli.core.types import Tree
from fedcli.engine import round as engine
from fedcli.engine.admission import Row
from fedcli.engine.setup import Parts
from fedcli.store import client_states, secrets
from fedcli.store.checkpoints import read_checkpoint, write_checkpoint
from fedcli.testing.laws import law, same_bits, same_state
from fedcli.testing.tiny import assembled

_VECTORS = ("weights", "statistics", "frozen", "personal")
_STATES = ("server", "aggregator", "transforms")


class _Course(NamedTuple):
    """The state after some rounds, and each round's record and rows without times."""

    state: RoundState
    records: list[list[Row]]


def check_strategy(strategy: Strategy, *, settings: Sequence[str] = ()) -> None:
    """Hold a strategy to the laws of fedcli's own, by rounds of a tiny experiment: four clients, a small network.

    Args:
        strategy: the strategy.
        settings: what else it needs of the experiment, each `key=value` as after `fedcli run --set`.

    Raises:
        AssertionError: with the law that does not hold.
        ConfigError: if the strategy is refused before any training, or a setting is.
    """
    with assembled(strategy, settings) as (parts, first):
        course = _rounds(parts, first)
        _check_learning(parts, first, course)
        _reread(parts, course.state)
        _check_repetition(parts, first, course)
        _check_workers(parts, first, course)
        _check_one_trace(parts)
        _check_checkpoint(parts, first, course)
        _check_diverging_client(parts, first)
        # An asynchronous strategy draws no cohorts: there is always somebody at work.
        if strategy.buffer is None:
            _check_empty_cohort(parts, first)


def _rounds(parts: Parts, state: RoundState, count: int = 2) -> _Course:
    records = []
    for _ in range(count):
        state, record, rows = engine.run_round(
            parts, state, lambda _round: None, lambda _done, _planned: None
        )
        records.append([_untimed(record), *map(_untimed, rows)])
    return _Course(state, records)


def _untimed(row: Row) -> Row:
    return {name: value for name, value in row.items() if not name.startswith("seconds")}


def _same(one: RoundState, other: RoundState) -> bool:
    return (
        all(same_bits(getattr(one, name), getattr(other, name)) for name in _VECTORS)
        and all(same_state(getattr(one, name), getattr(other, name)) for name in _STATES)
        and one.clients.keys() == other.clients.keys()
        and all(same_state(one.clients[client], other.clients[client]) for client in one.clients)
    )


def _check_learning(parts: Parts, first: RoundState, course: _Course) -> None:
    name, state = parts.strategy.name, course.state
    law(np.isfinite(state.weights).all(), f"{name}: after two rounds the weights are finite.")
    law(
        not np.array_equal(state.weights, first.weights),
        f"{name}: two rounds move the model; the weights are what they were.",
    )
    for record, *rows in course.records:
        reasons = [row["reason"] for row in rows if "reason" in row]
        law(
            record["clients/finished"] == len(rows) > 0,
            f"{name}: no honest client is rejected; {len(reasons)} of {len(rows)} were: {reasons[:1]}",
        )
        law(
            np.isfinite([record["test/loss"], record["train/loss"]]).all(),
            f"{name}: losses are finite; the round's are {record['train/loss']} and {record['test/loss']}.",
        )


def _check_repetition(parts: Parts, first: RoundState, course: _Course) -> None:
    again = _rounds(parts, first)
    law(
        _same(again.state, course.state) and again.records == course.records,
        f"{parts.strategy.name}: the same rounds from the same state give the same bits; does a part draw at random, "
        "or keep something outside its state?",
    )


def _check_workers(parts: Parts, first: RoundState, course: _Course) -> None:
    for workers in (1, 3):
        executor = EXECUTORS["threads"](workers=workers)
        try:
            other = _rounds(replace(parts, executor=executor), first)
        finally:
            executor.close()
        law(
            _same(other.state, course.state) and other.records == course.records,
            f"{parts.strategy.name}: {workers} workers give the same bits as {parts.executor.num_workers}.",
        )


def _check_one_trace(parts: Parts) -> None:
    traces = getattr(parts.runtime, "num_traces", 1)
    law(
        traces == 1,
        f"{parts.strategy.name}: one trace of local training serves all clients and rounds; there were {traces}.",
    )


def _check_checkpoint(parts: Parts, first: RoundState, course: _Course) -> None:
    between = _rounds(parts, first, count=1).state
    resumed = _rounds(parts, _reread(parts, between), count=1)
    law(
        _same(resumed.state, course.state) and resumed.records[0] == course.records[1],
        f"{parts.strategy.name}: a checkpoint between two rounds changes no bit of the second.",
    )


def _reread(parts: Parts, state: RoundState) -> RoundState:
    """The state by way of a run directory, with its clients' states back in memory."""
    with TemporaryDirectory() as folder:
        clients, checkpoint = Path(folder) / "clients", Path(folder) / "checkpoint"
        checkpoint.mkdir()
        try:
            stored = {
                k: client_states.put(clients, state.round, k, tree) for k, tree in state.clients.items()
            }
            write_checkpoint(checkpoint, replace(state, clients=stored), parts.layout, facts={})
            read = read_checkpoint(checkpoint, parts.layout, clients)
            if noise := secrets.noise_of(state.transforms):
                secrets.put_noise(Path(folder), state.round, noise)
                read = replace(
                    read, transforms=secrets.read_noise(Path(folder), state.round, read.transforms)
                )
            return replace(read, clients={k: dict(tree.items()) for k, tree in read.clients.items()})
        except RunError as error:
            raise AssertionError(
                f"{parts.strategy.name}: its state can be written as a checkpoint, without pickle; {error}"
            ) from error


def _check_diverging_client(parts: Parts, first: RoundState) -> None:
    course = _rounds(replace(parts, runtime=_Diverging(parts.runtime, client=2)), first)
    name = parts.strategy.name
    # Where clients add the noise, an update that is NaN counts as zero, and its noise is sent all the same.
    refused = set() if any(is_noised_by_clients(part.privacy) for part in parts.strategy.transforms) else {2}
    law(
        all(
            [row["client"] for row in rows if "reason" in row]
            == [row["client"] for row in rows if row["client"] in refused]
            and record["clients/rejected"] == sum(row["client"] in refused for row in rows)
            for record, *rows in course.records
        ),
        f"{name}: a client whose update is NaN is rejected with a reason, and nobody else.",
    )
    law(
        np.isfinite(course.state.weights).all(),
        f"{name}: a client whose update is NaN leaves the weights finite.",
    )
    law(
        parts.strategy.aggregator.min_clients >= parts.num_clients
        or not np.array_equal(course.state.weights, first.weights),
        f"{name}: without the client whose update is NaN the others still move the model.",
    )


def _check_empty_cohort(parts: Parts, first: RoundState) -> None:
    nobody = parts.cohort._replace(sample=_nobody)
    after = _rounds(replace(parts, cohort=nobody), first, count=1).state
    if parts.strategy.privacy is None:
        law(
            _same(after, first),
            f"{parts.strategy.name}: a round without clients leaves the model and every state as they were.",
        )
    law(
        np.isfinite(after.weights).all(),
        f"{parts.strategy.name}: a round without clients leaves the weights finite.",
    )


def _nobody(_rng: np.random.Generator, _num_clients: int) -> npt.NDArray[np.int64]:
    return np.zeros(0, np.int64)


class _Diverging:
    """A runtime one of whose clients sends NaN."""

    def __init__(self, runtime: ClientRuntime, *, client: int) -> None:
        self._runtime, self._client = runtime, client
        self.compiler = runtime.compiler

    def prepare(self, broadcast: Broadcast) -> Any:
        return self._runtime.prepare(broadcast)

    def personal(self, broadcast: Broadcast, state: Tree) -> Any:
        return self._runtime.personal(broadcast, state)

    def measure(self, start: Any, x: Any, y: Any) -> Any:
        return self._runtime.measure(start, x, y)

    def train(self, start: Any, assignment: Assignment) -> ClientUpdate:
        update = self._runtime.train(start, assignment)
        if assignment.client != self._client:
            return update
        return replace(update, payload=np.full_like(update.payload, np.nan))
