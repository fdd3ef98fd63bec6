"""How good the global model is: on the central test set, and on every client's own validation part."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace

from fedcli.core.averages import mean_model
from fedcli.core.metrics import prefixed, spread, weighted_mean
from fedcli.core.rounds import Broadcast, RoundState
from fedcli.core.types import Array, Tree
from fedcli.engine.budget import nothing_left
from fedcli.engine.client_work import Clients
from fedcli.engine.setup import Assembly

Metrics = Mapping[str, float]


def is_evaluated(assembly: Assembly, state: RoundState) -> bool:
    """Whether the round of `state` is evaluated by the plan: every so many rounds, and the last one."""
    is_due = state.round % assembly.run.evaluation.every == 0
    return is_due or nothing_left(assembly, state) is not None


def evaluate(assembly: Assembly, state: RoundState) -> dict[str, float]:
    """Figures of a round: `test/`, and `validation/` where the config asks for clients.

    Those of the averaged model, where the run keeps one, are under `average/test/`, and those of an attack that
    has a trigger under `attack/`.
    """
    figures = prefixed("test", evaluate_test(assembly, state)) | evaluate_attack(assembly, state)
    if state.average:
        figures |= prefixed("average/test", evaluate_test(assembly, averaged(state)))
    if assembly.run.evaluation.clients:
        figures |= prefixed("validation", summarise(assembly, evaluate_clients(assembly, state)))
    return figures


def averaged(state: RoundState) -> RoundState:
    """The state with the averaged model in the place of the last one; its statistics are the last one's."""
    return replace(state, weights=mean_model(state.average))


def evaluate_test(assembly: Assembly, state: RoundState) -> dict[str, float]:
    """Mean loss and metrics over the central test set, in pieces that the workers share."""
    size, count = assembly.run.evaluation.batch_size, len(assembly.world.federation.test[0])
    work = TestWork(assembly.clients, _broadcast(state), size)
    return _means((sums for sums, _ in assembly.executor.run(work, range(0, count, size))), count)


def evaluate_attack(assembly: Assembly, state: RoundState) -> dict[str, float]:
    """Of an attack with a trigger, the share of test examples with it that are taken for what it wants to see."""
    adversary = assembly.world.adversary
    if adversary is None or adversary.attack.trigger is None:
        return {}
    size, count = assembly.run.evaluation.batch_size, len(assembly.world.federation.test[0])
    work = TestWork(assembly.clients, _broadcast(state), size, with_trigger=True)
    sums, counts = zip(*assembly.executor.run(work, range(0, count, size)), strict=True)
    hits = [each.get("accuracy", 0.0) for each in sums]
    return {"attack/success_rate": math.fsum(hits) / sum(counts)} if sum(counts) else {}


def evaluate_clients(assembly: Assembly, state: RoundState) -> list[dict[str, float]]:
    """For every client that has validation examples: its number, how many, loss and metrics on them.

    Where clients end up with models of their own, the figures are those of their own models, and the ones
    of the global model, before local adaptation, are beside them under `global/`.
    """
    validation = assembly.world.federation.num_validation
    clients = [client for client in range(assembly.num_clients) if validation[client]]
    kept = {client: state.clients[client] for client in clients if client in state.clients}
    work = ValidationWork(assembly.clients, _broadcast(state), assembly.run.evaluation.batch_size, kept)
    return list(assembly.executor.run(work, clients))


@dataclass(frozen=True)
class TestWork:
    """Measure a model on pieces of the test set; an item is the first example of a piece.

    Args:
        clients: the clients' side, which has the test set.
        model: what is measured.
        size: examples of a piece.
        with_trigger: measure on examples with the attack's trigger, against the labels that it wants.
    """

    clients: Clients
    model: Broadcast
    size: int
    with_trigger: bool = False

    def begin(self) -> Callable[[int], tuple[Metrics, int]]:
        """The sums over the piece that begins at an example, and the number of its examples."""
        side = self.clients.side
        start, (x, y) = side.runtime.prepare(self.model), side.federation.test
        trigger = side.adversary.attack.trigger if side.adversary and self.with_trigger else None

        def measure(first: int) -> tuple[Metrics, int]:
            piece = x[first : first + self.size], y[first : first + self.size]
            piece = piece if trigger is None else trigger(*piece)
            count = len(piece[1])
            return (side.runtime.measure(start, *piece) if count else {}), count

        return measure


@dataclass(frozen=True)
class ValidationWork:
    """Measure a model on clients' validation parts; an item is a client.

    Args:
        clients: the clients' side.
        model: the global model.
        size: examples of a piece.
        kept: what clients keep of their own, by client.
    """

    clients: Clients
    model: Broadcast
    size: int
    kept: Mapping[int, Tree]

    def begin(self) -> Callable[[int], dict[str, float]]:
        """The row of a client."""
        side = self.clients.side
        shared = side.runtime.prepare(self.model)

        def measured(start: object, x: Array, y: Array) -> dict[str, float]:
            pieces = range(0, len(x), self.size)
            sums = (side.runtime.measure(start, x[i : i + self.size], y[i : i + self.size]) for i in pieces)
            return _means(sums, len(x))

        def row(client: int) -> dict[str, float]:
            # A stored state is read here, by the worker, and once.
            own: Tree = dict(self.kept.get(client, {}).items())
            data = side.federation.client(client)
            x, y = data.x_validation, data.y_validation
            start = side.runtime.personal(self.model, own) if own else shared
            figures = {"client": client, "examples": len(x), **measured(start, x, y)}
            if side.strategy.trainer.is_personal:
                figures |= prefixed("global", measured(shared, x, y))
            return figures

        return row


def summarise(assembly: Assembly, rows: list[dict[str, float]]) -> dict[str, float]:
    """Means over clients by their examples, and for each metric the worst client and the deciles."""
    if not rows:
        return {}
    figures = [{k: v for k, v in row.items() if k not in ("client", "examples")} for row in rows]
    summary = weighted_mean(figures, [row["examples"] for row in rows])
    for name in list(summary):
        better = assembly.run.evaluation.higher_is_better.get(name.removeprefix("global/"), False)
        values = (row[name] for row in figures)
        summary |= prefixed(name, spread(values, higher_is_better=better))
    return summary


def _means(sums: Iterable[Metrics], count: int) -> dict[str, float]:
    rows = list(sums)
    return {name: math.fsum(row[name] for row in rows) / count for name in rows[0]} if rows else {}


def _broadcast(state: RoundState) -> Broadcast:
    return Broadcast(state.round, state.weights, state.statistics, 1.0)
