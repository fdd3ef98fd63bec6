"""Evaluation of the global model on the test set and on the clients' validation examples."""

from __future__ import annotations

import math
from array import array
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from fedcli.core.averages import mean_model
from fedcli.core.metrics import mean_of, prefixed, spread
from fedcli.core.rounds import Broadcast, RoundState
from fedcli.core.seeds import SERVER, generator
from fedcli.core.types import Array, Tree
from fedcli.core.user_code import blamed
from fedcli.engine.budget import nothing_left
from fedcli.engine.class_scores import Predictions, scores
from fedcli.engine.client_side import Clients
from fedcli.engine.setup import Assembly

Metrics = Mapping[str, float]


def is_evaluated(assembly: Assembly, state: RoundState) -> bool:
    """Whether the round of `state` is evaluated: every `evaluation.every` rounds, and the last one."""
    is_due = state.round % assembly.run.evaluation.every == 0
    return is_due or nothing_left(assembly, state) is not None


def evaluate(assembly: Assembly, state: RoundState) -> dict[str, float]:
    """The figures of a round.

    `test/` is on the test set; `average/test/` is the same for the averaged model, if the run keeps one; `attack/` is
    the success of a backdoor; `validation/` is on the clients' validation examples, if the config asks for it.
    """
    with blamed("the evaluation", f"round {state.round}"):
        figures = prefixed("test", evaluate_test(assembly, state)) | evaluate_attack(assembly, state)
        if state.average:
            figures |= prefixed("average/test", evaluate_test(assembly, averaged(state)))
        if assembly.run.evaluation.clients:
            figures |= prefixed("validation", summarise(assembly, client_figures(assembly, state)))
    return figures


def averaged(state: RoundState) -> RoundState:
    """The state with the averaged weights; statistics are not averaged, so they are those of the last model."""
    return replace(state, weights=mean_model(state.average))


def evaluate_test(assembly: Assembly, state: RoundState) -> dict[str, float]:
    """Mean loss and metrics over the test set, and the scores of the whole of it that the task asks for."""
    size, count = assembly.run.evaluation.batch_size, len(assembly.world.federation.test[0])
    work = TestWork(assembly.clients, _broadcast(state), size)
    # In pieces for all workers: measuring 10,000 images can take as long as training the cohort.
    means = _means((sums for sums, _ in assembly.executor.run(work, range(0, count, size))), count)
    names = assembly.training.task.scores
    return means | scores(names, predictions(assembly, state)) if names else means


def predictions(assembly: Assembly, state: RoundState) -> Predictions:
    """What the model says of every example of a test set of classes."""
    size, (x, y) = assembly.run.evaluation.batch_size, assembly.world.federation.test
    work = PredictionWork(assembly.clients, _broadcast(state), size)
    pieces = list(assembly.executor.run(work, range(0, len(x), size)))
    # Targets may be one-hot.
    labels = (y.argmax(axis=-1) if y.ndim > 1 and y.shape[1] > 1 else y.reshape(-1)).astype(np.int64)
    return Predictions(labels, np.concatenate(pieces))


def evaluate_attack(assembly: Assembly, state: RoundState) -> dict[str, float]:
    """Success of a backdoor: share of test examples with the trigger that get its target label; empty without one."""
    adversary = assembly.world.adversary
    if adversary is None or adversary.attack.trigger is None:
        return {}
    size, count = assembly.run.evaluation.batch_size, len(assembly.world.federation.test[0])
    work = TestWork(assembly.clients, _broadcast(state), size, with_trigger=True)
    sums, counts = zip(*assembly.executor.run(work, range(0, count, size)), strict=True)
    hits = [each.get("accuracy", 0.0) for each in sums]
    return {"attack/success_rate": math.fsum(hits) / sum(counts)} if sum(counts) else {}


def evaluated_clients(assembly: Assembly) -> npt.NDArray[np.int64]:
    """The clients with validation examples, ascending; of them a sample, if the config evaluates so many.

    The sample follows from the seed and is the same in every round, so that rounds can be compared.
    """
    clients = np.flatnonzero(assembly.world.federation.num_validation)
    wanted = assembly.run.evaluation.clients
    if isinstance(wanted, bool) or wanted >= len(clients):
        return clients
    rng = generator(assembly.run.seed, 0, SERVER, "evaluated clients")
    return clients[np.sort(rng.choice(len(clients), wanted, replace=False))]


def client_figures(assembly: Assembly, state: RoundState) -> Iterator[dict[str, float]]:
    """One row for each evaluated client, lazily: its number, the count of its examples, loss and metrics.

    If the strategy trains personal models, the figures are those of the client's own model, and `global/` has those of
    the global model.
    """
    clients = evaluated_clients(assembly).tolist()
    # Of a large population few have ever taken part.
    kept = {client: state.clients[client] for client in clients if client in state.clients}
    work = ValidationWork(assembly.clients, _broadcast(state), assembly.run.evaluation.batch_size, kept)
    return assembly.executor.run(work, clients)


def evaluate_clients(assembly: Assembly, state: RoundState) -> list[dict[str, float]]:
    """All rows of `client_figures`."""
    return list(client_figures(assembly, state))


@dataclass(frozen=True)
class TestWork:
    """Measures a model on pieces of the test set; an item is the index of a piece's first example.

    Args:
        clients: has the runtime and the test set.
        model: the model to measure.
        size: number of examples in a piece.
        with_trigger: whether to add the attack's trigger to the examples, and expect its target label.
    """

    clients: Clients
    model: Broadcast
    size: int
    with_trigger: bool = False

    def begin(self) -> Callable[[int], tuple[Metrics, int]]:
        """Return the function from an item to the sums over its piece and the number of its examples."""
        side = self.clients.side
        start, (x, y) = side.runtime.prepare(self.model), side.federation.test
        trigger = side.adversary.attack.trigger if side.adversary and self.with_trigger else None

        def measure(first: int) -> tuple[Metrics, int]:
            piece = x[first : first + self.size], y[first : first + self.size]
            piece = piece if trigger is None else trigger(*piece)
            # Counted after the trigger, which leaves out examples that have the target label anyway.
            count = len(piece[1])
            return (side.runtime.measure(start, *piece) if count else {}), count

        return measure


@dataclass(frozen=True)
class PredictionWork:
    """Predicts the classes of pieces of the test set; an item is the index of a piece's first example.

    Args:
        clients: has the runtime and the test set.
        model: the model.
        size: number of examples in a piece.
    """

    clients: Clients
    model: Broadcast
    size: int

    @property
    def result_bytes(self) -> int:
        """A number for each class of each example."""
        return 4 * self.size * self.clients.side.federation.num_outputs

    def begin(self) -> Callable[[int], Array]:
        """Return the function from an item to the probabilities of its examples, shape [B, C]."""
        side = self.clients.side
        start, (x, _) = side.runtime.prepare(self.model), side.federation.test
        return lambda first: side.runtime.predict(start, x[first : first + self.size])


@dataclass(frozen=True)
class ValidationWork:
    """Measures a model on clients' validation examples; an item is a client.

    Args:
        clients: has the runtime and the data.
        model: the global model.
        size: number of examples that are measured at once.
        kept: the clients' own states, such as personal models.
    """

    clients: Clients
    model: Broadcast
    size: int
    kept: Mapping[int, Tree]

    def begin(self) -> Callable[[int], dict[str, float]]:
        """Return the function from a client to its row."""
        side = self.clients.side
        shared = side.runtime.prepare(self.model)

        def measured(start: object, x: Array, y: Array) -> dict[str, float]:
            pieces = range(0, len(x), self.size)
            sums = (side.runtime.measure(start, x[i : i + self.size], y[i : i + self.size]) for i in pieces)
            return _means(sums, len(x))

        def row(client: int) -> dict[str, float]:
            # Read by the worker, and once: a stored state is a file that `items` reads.
            own: Tree = dict(self.kept.get(client, {}).items())
            data = side.federation.client(client)
            x, y = data.x_validation, data.y_validation
            start = side.runtime.personal(self.model, own) if own else shared
            figures = {"client": client, "examples": len(x), **measured(start, x, y)}
            if side.strategy.trainer.is_personal:
                figures |= prefixed("global", measured(shared, x, y))
            return figures

        return row


def summarise(assembly: Assembly, rows: Iterable[Mapping[str, float]]) -> dict[str, float]:
    """Means over clients, weighted by their examples; and for each metric the worst client and the deciles."""
    # 8 bytes a figure, because the rows of 100,000 clients would take as much memory as their models.
    columns: defaultdict[str, array[float]] = defaultdict(lambda: array("d"))
    for row in rows:
        for name, value in row.items():
            columns[name].append(value)
    examples = columns.pop("examples", array("d"))
    columns.pop("client", None)
    summary = {name: mean_of(values, examples) for name, values in columns.items()} if sum(examples) else {}
    for name, values in columns.items():
        better = assembly.run.evaluation.higher_is_better.get(name.removeprefix("global/"), False)
        summary |= prefixed(name, spread(values, higher_is_better=better))
    return summary


def _means(sums: Iterable[Metrics], count: int) -> dict[str, float]:
    # fsum is correctly rounded, so that order and number of the pieces add no error.
    rows = list(sums)
    return {name: math.fsum(row[name] for row in rows) / count for name in rows[0]} if rows else {}


def _broadcast(state: RoundState) -> Broadcast:
    # The factor of the learning rate is not used, because nothing is trained.
    return Broadcast(state.round, state.weights, state.statistics, 1.0)
