"""Laws of strategies, from local training to the weights of the next round."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import numpy as np

from fedcli.components.executors import EXECUTORS
from fedcli.core.contracts import Strategy
from fedcli.core.errors import RuinedModelError, RunError
from fedcli.core.privacy_events import is_noised_by_clients
from fedcli.core.roles import ClientRuntime
from fedcli.core.rounds import Assignment, Broadcast, ClientUpdate, RoundState
from fedcli.core.types import Tree
from fedcli.engine.records import Row
from fedcli.engine.round import run_round
from fedcli.engine.setup import Assembly
from fedcli.store import client_states, secrets
from fedcli.store.checkpoints import read_checkpoint, write_checkpoint
from fedcli.testing.changes import changed
from fedcli.testing.laws import law, same_bits, same_state
from fedcli.testing.tiny import assembled

_VECTORS = ("weights", "statistics", "frozen", "personal")
_STATES = ("server", "aggregator", "transforms", "cohort")


class _Course(NamedTuple):
    """The state after some rounds, and the record and rows of each round, without times."""

    state: RoundState
    records: list[list[Row]]


def check_strategy(strategy: Strategy, *, settings: Sequence[str] = ()) -> None:
    """Check a strategy against the laws of fedcli's own, in rounds of a tiny experiment: four clients, a small network.

    Args:
        strategy: the strategy.
        settings: changes to the experiment that it needs, each `key=value` as after `fedcli run --set`.

    Raises:
        AssertionError: names the law that does not hold.
        ConfigError: if the strategy or a setting is refused before training.
    """
    with assembled(strategy, settings) as (assembly, first):
        course = _rounds(assembly, first)
        _check_learning(assembly, first, course)
        # Before the repetitions: a state that cannot be written shows here by name.
        _reread(assembly, course.state)
        _check_same_bits(assembly, first, course)
        # A runtime that does not count its traces passes.
        traces = getattr(assembly.clients.side.runtime, "num_traces", 1)
        law(
            traces == 1,
            f"{strategy.name}: one trace of local training serves all clients and rounds; there were {traces}.",
        )
        _check_diverging_client(assembly, first)
        # An asynchronous strategy draws no cohorts: some client is always training.
        if strategy.buffer is None:
            _check_empty_cohort(assembly, first)


def _rounds(assembly: Assembly, state: RoundState, count: int = 2) -> _Course:
    records = []
    for _ in range(count):
        try:
            state, record, rows = run_round(
                assembly, state, lambda _round: None, lambda _done, _planned: None
            )
        except RuinedModelError as error:
            raise AssertionError(
                f"{assembly.strategy.name}: after two rounds the weights are finite; {error}"
            ) from error
        records.append([_untimed(record), *map(_untimed, rows)])
    return _Course(state, records)


def _untimed(row: Row) -> Row:
    # Measured times differ from run to run; everything else must not.
    return {name: value for name, value in row.items() if not name.startswith("seconds")}


def _same(one: RoundState, other: RoundState) -> bool:
    return (
        all(same_bits(getattr(one, name), getattr(other, name)) for name in _VECTORS)
        and all(same_state(getattr(one, name), getattr(other, name)) for name in _STATES)
        and one.clients.keys() == other.clients.keys()
        and all(same_state(one.clients[client], other.clients[client]) for client in one.clients)
    )


def _check_learning(assembly: Assembly, first: RoundState, course: _Course) -> None:
    name, state = assembly.strategy.name, course.state
    law(
        not np.array_equal(state.weights, first.weights),
        f"{name}: two rounds move the model; the weights are unchanged.",
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


def _check_same_bits(assembly: Assembly, first: RoundState, course: _Course) -> None:
    again = _rounds(assembly, first)
    law(
        _same(again.state, course.state) and again.records == course.records,
        f"{assembly.strategy.name}: the same rounds from the same state give the same bits; "
        "does a part draw at random, or keep something outside its state?",
    )
    for workers in (1, 3):
        executor = EXECUTORS["threads"](workers=workers)
        try:
            other = _rounds(changed(assembly, executor=executor), first)
        finally:
            executor.close()
        law(
            _same(other.state, course.state) and other.records == course.records,
            f"{assembly.strategy.name}: {workers} workers give the same bits as {assembly.executor.num_workers}.",
        )
    between = _rounds(assembly, first, count=1).state
    resumed = _rounds(assembly, _reread(assembly, between), count=1)
    law(
        _same(resumed.state, course.state) and resumed.records[0] == course.records[1],
        f"{assembly.strategy.name}: a checkpoint between two rounds changes no bit of the second.",
    )


def _reread(assembly: Assembly, state: RoundState) -> RoundState:
    """The state after it was written to a run directory and read, with the clients' states in memory."""
    with TemporaryDirectory() as folder:
        clients, checkpoint = Path(folder) / "clients", Path(folder) / "checkpoint"
        checkpoint.mkdir()
        try:
            stored = {
                k: client_states.put(clients, state.round, k, tree) for k, tree in state.clients.items()
            }
            write_checkpoint(checkpoint, replace(state, clients=stored), assembly.layout, facts={})
            read = read_checkpoint(checkpoint, assembly.layout, clients)
            # Noise that protects people is stored apart from the checkpoint, under secret/.
            if noise := secrets.noise_of(state.transforms):
                secrets.put_noise(Path(folder), state.round, noise)
                read = replace(
                    read, transforms=secrets.read_noise(Path(folder), state.round, read.transforms)
                )
            # Read now, because the folder is about to vanish.
            return replace(read, clients={k: dict(tree.items()) for k, tree in read.clients.items()})
        except RunError as error:
            raise AssertionError(
                f"{assembly.strategy.name}: its state can be written as a checkpoint, without pickle; {error}"
            ) from error


def _check_diverging_client(assembly: Assembly, first: RoundState) -> None:
    course = _rounds(changed(assembly, runtime=_Diverging(assembly.clients.side.runtime, client=2)), first)
    name = assembly.strategy.name
    # Where clients add the noise, an update of NaN counts as zero and its noise is sent all the same.
    refused = (
        set() if any(is_noised_by_clients(part.privacy) for part in assembly.strategy.transforms) else {2}
    )
    law(
        all(
            [row["client"] for row in rows if "reason" in row]
            == [row["client"] for row in rows if row["client"] in refused]
            and record["clients/rejected"] == sum(row["client"] in refused for row in rows)
            for record, *rows in course.records
        ),
        f"{name}: a client whose update is NaN is rejected with a reason, and no other client is.",
    )
    law(
        np.isfinite(course.state.weights).all(),
        f"{name}: a client whose update is NaN leaves the weights finite.",
    )
    law(
        # A rule that needs all clients voids the round instead.
        assembly.strategy.aggregator.min_clients >= assembly.num_clients
        or not np.array_equal(course.state.weights, first.weights),
        f"{name}: the other clients still move the model without the client whose update is NaN.",
    )


def _check_empty_cohort(assembly: Assembly, first: RoundState) -> None:
    nobody = assembly.world.cohort._replace(sample=lambda _rng, _num_clients, _state: np.zeros(0, np.int64))
    after = _rounds(changed(assembly, cohort=nobody), first, count=1).state
    # Under differential privacy an empty round releases zero plus the full noise, so the model moves.
    if assembly.strategy.privacy is None:
        law(
            _same(after, first),
            f"{assembly.strategy.name}: a round without clients leaves the model and every state as they were.",
        )
    law(
        np.isfinite(after.weights).all(),
        f"{assembly.strategy.name}: a round without clients leaves the weights finite.",
    )


class _Diverging:
    """A runtime in which one client sends NaN."""

    def __init__(self, runtime: ClientRuntime, *, client: int) -> None:
        self._runtime, self._client = runtime, client
        self.compiler = runtime.compiler

    def prepare(self, broadcast: Broadcast) -> Any:
        return self._runtime.prepare(broadcast)

    def personal(self, broadcast: Broadcast, state: Tree) -> Any:
        return self._runtime.personal(broadcast, state)

    def measure(self, start: Any, x: Any, y: Any) -> Any:
        return self._runtime.measure(start, x, y)

    def predict(self, start: Any, x: Any) -> Any:
        return self._runtime.predict(start, x)

    def train(self, start: Any, assignment: Assignment) -> ClientUpdate:
        update = self._runtime.train(start, assignment)
        if assignment.client != self._client:
            return update
        return replace(update, payload=np.full_like(update.payload, np.nan))
