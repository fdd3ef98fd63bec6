"""How good the global model is: on the central test set, and on every client's own validation part."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import replace

from fedcli.core.averages import mean_model
from fedcli.core.metrics import prefixed, spread, weighted_mean
from fedcli.core.rounds import Broadcast, RoundState
from fedcli.core.types import Array, Tree
from fedcli.engine.setup import Parts

Metrics = Mapping[str, float]


def evaluate(parts: Parts, state: RoundState) -> dict[str, float]:
    """Figures of a round: `test/`, and `validation/` where the config asks for clients.

    Those of the averaged model, where the run keeps one, are under `average/test/`, and those of an attack that
    has a trigger under `attack/`.
    """
    figures = prefixed("test", evaluate_test(parts, state)) | evaluate_attack(parts, state)
    if state.average:
        figures |= prefixed("average/test", evaluate_test(parts, averaged(state)))
    if parts.evaluation.clients:
        figures |= prefixed("validation", summarise(parts, evaluate_clients(parts, state)))
    return figures


def averaged(state: RoundState) -> RoundState:
    """The state with the averaged model in the place of the last one; its statistics are the last one's."""
    return replace(state, weights=mean_model(state.average))


def evaluate_test(parts: Parts, state: RoundState) -> dict[str, float]:
    """Mean loss and metrics over the central test set, in pieces that the workers share."""
    x, y = parts.federation.test
    size = parts.evaluation.batch_size
    start = parts.runtime.prepare(_broadcast(state))
    pieces = [(x[i : i + size], y[i : i + size]) for i in range(0, len(x), size)]
    sums = parts.executor.map(lambda piece: parts.runtime.measure(start, *piece), pieces)
    return _means(sums, len(x))


def evaluate_attack(parts: Parts, state: RoundState) -> dict[str, float]:
    """Of an attack with a trigger, the share of test examples with it that are taken for what it wants to see."""
    trigger = parts.adversary.attack.trigger if parts.adversary else None
    if trigger is None:
        return {}
    x, y = parts.federation.test
    size = parts.evaluation.batch_size
    start = parts.runtime.prepare(_broadcast(state))

    def work(first: int) -> tuple[float, int]:
        wrong_x, wanted = trigger(x[first : first + size], y[first : first + size])
        if not len(wanted):
            return 0.0, 0
        return parts.runtime.measure(start, wrong_x, wanted)["accuracy"], len(wanted)

    hits, counts = zip(*parts.executor.map(work, range(0, len(x), size)), strict=True)
    return {"attack/success_rate": math.fsum(hits) / sum(counts)} if sum(counts) else {}


def evaluate_clients(parts: Parts, state: RoundState) -> list[dict[str, float]]:
    """For every client that has validation examples: its number, how many, loss and metrics on them.

    Where clients end up with models of their own, the figures are those of their own models, and the ones
    of the global model, before local adaptation, stand beside them under `global/`.
    """
    broadcast = _broadcast(state)
    shared = parts.runtime.prepare(broadcast)

    def work(client: int) -> dict[str, float]:
        # A stored state is read here, by the worker, and once.
        own: Tree = dict(state.clients.get(client, {}).items())
        data = parts.federation.client(client)
        x, y = data.x_validation, data.y_validation
        start = parts.runtime.personal(broadcast, own) if own else shared
        row = {"client": client, "examples": len(x), **_measured(parts, start, x, y)}
        if parts.strategy.trainer.is_personal:
            row |= prefixed("global", _measured(parts, shared, x, y))
        return row

    clients = (client for client in range(parts.num_clients) if parts.federation.num_validation[client])
    return list(parts.executor.map(work, clients))


def summarise(parts: Parts, rows: list[dict[str, float]]) -> dict[str, float]:
    """Means over clients by their examples, and for each metric the worst client and the deciles."""
    if not rows:
        return {}
    figures = [{k: v for k, v in row.items() if k not in ("client", "examples")} for row in rows]
    summary = weighted_mean(figures, [row["examples"] for row in rows])
    for name in list(summary):
        better = parts.evaluation.higher_is_better.get(name.removeprefix("global/"), False)
        values = (row[name] for row in figures)
        summary |= prefixed(name, spread(values, higher_is_better=better))
    return summary


def _measured(parts: Parts, start: object, x: Array, y: Array) -> dict[str, float]:
    size = parts.evaluation.batch_size
    pieces = (parts.runtime.measure(start, x[i : i + size], y[i : i + size]) for i in range(0, len(x), size))
    return _means(pieces, len(x))


def _means(sums: Iterable[Metrics], count: int) -> dict[str, float]:
    rows = list(sums)
    return {name: math.fsum(row[name] for row in rows) / count for name in rows[0]} if rows else {}


def _broadcast(state: RoundState) -> Broadcast:
    return Broadcast(state.round, state.weights, state.statistics, 1.0)
