"""Custom components with a fault each, which an environment variable switches on."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from fedcli.components.callbacks.callback import Callback
from fedcli.components.clients.optimizers import sgd
from fedcli.components.cohorts import full
from fedcli.components.data import Dataset, Partition, Preprocessor
from fedcli.components.devices import Devices, lognormal
from fedcli.components.executors import threads
from fedcli.components.strategies import STRATEGIES
from fedcli.core.contracts import Cohort, Strategy
from fedcli.core.seeds import SERVER, generator
from fedcli.core.transform import Transform

SWITCH = "FAULT_IN_USER_CODE"
ROUND = 2
CLIENT = 2

Fault = tuple[str, str, int]
"""Where, what, and the exit code of the command."""

RAISES = ("key-error", "exit-0", "broken-pipe", "closed-stdout")
REJECTING = (
    *RAISES, "none", "text", "complex", "nan", "nan-weight", "negative-weight", "infinite-weight", "text-metric",
    "no-metrics", "other-client", "shape", "huge-weight", "no-bytes", "nan-bytes", "nan-state", "metric-named-weight",
)  # fmt: skip
"""After these, the client is rejected in that round."""

FAULTS: list[Fault] = [
    *(("dataset", each, 2) for each in ("key-error", "exit-0", "none")),
    *(("partition", each, 2) for each in ("key-error", "none", "out-of-range", "repeated", "floats")),
    *(("preprocessing", each, 1) for each in ("key-error", "exit-0", "none", "text", "nan", "shape")),
    *(("model", each, 2) for each in ("key-error", "none")),
    ("optimizer", "none", 2),
    *(("optimizer", each, 1) for each in ("key-error", "exit-0")),
    *(("executor", each, 1) for each in ("key-error", "none", "too-few")),
    *(("client", each, 0) for each in (*REJECTING, "chdir")),
    ("client", "huge", 1),
    *(("all-clients", each, 1) for each in ("key-error", "exit-0", "nan")),
    *(("begin", each, 1) for each in ("key-error", "exit-0")),
    *(("admit", each, 1) for each in ("key-error", "broken-pipe")),
    *(("decode", each, 1) for each in ("key-error", "none")),
    *(("aggregator", each, 1) for each in (*RAISES, "none", "text", "complex", "negative-weight", "shape")),
    *(("aggregator", each, 1) for each in ("infinite-weight", "infinite-sum")),
    ("aggregator", "ctrl-c", 130),
    *(("server", each, 1) for each in ("key-error", "exit-0", "none", "shape", "nan-model", "nan-state")),
    *(("cohort", each, 1) for each in ("key-error", "exit-0", "stranger", "twice", "none")),
    *(("schedule", each, 1) for each in ("key-error", "none", "nan")),
    *(("devices", each, 1) for each in ("key-error", "exit-0")),
    *(("callback", each, 1) for each in (*RAISES, "number")),
    ("callback", "chdir", 0),
    ("callback", "ctrl-c", 130),
]


def _fault(where: str) -> str:
    switched, _, what = os.environ.get(SWITCH, "").partition(":")
    return what if switched == where else ""


def _strike(what: str) -> None:
    if what == "key-error":
        raise KeyError("missing")
    if what == "exit-0":
        sys.exit(0)
    if what == "broken-pipe":
        raise BrokenPipeError(32, "Broken pipe")
    if what == "ctrl-c":
        raise KeyboardInterrupt
    if what == "closed-stdout":
        with open(os.devnull, "w", encoding="utf-8") as stream:
            pass
        print("hello", file=stream)
    if what == "chdir":
        os.chdir(Path(os.devnull).parent)


def clouds(_seed: int) -> Dataset | None:
    """Three clouds of points."""
    what = _fault("dataset")
    _strike(what)
    rng = generator(1, 0, SERVER, "clouds")
    y = np.arange(60) % 3
    x = (rng.normal(size=(60, 4)) + y[:, None]).astype(np.float32)
    return None if what == "none" else Dataset(x, y, x[:30], y[:30], "classification", 3)


def dealt(dataset: Dataset, _rng: Any) -> Any:
    """Four clients, in turn."""
    what = _fault("partition")
    _strike(what)
    count = len(dataset.y)
    order: Any = np.argsort(np.arange(count) % 4, kind="stable")
    wrong = {
        "out-of-range": order + 1,
        "repeated": np.zeros_like(order),
        "floats": order.astype(float),
    }
    return None if what == "none" else Partition(wrong.get(what, order), np.arange(5) * count // 4)


def shifted() -> Preprocessor:
    """Adds 1 to every feature."""

    def apply(x: Any, _statistics: Any) -> Any:
        what = _fault("preprocessing")
        _strike(what)
        wrong = {"none": None, "text": "a lot", "nan": x * np.nan, "shape": x[:0]}
        return wrong.get(what, x + 1)

    return Preprocessor(apply=apply)


def network(input_shape: Any, num_outputs: Any) -> Any:
    """A layer of logits."""
    import keras

    what = _fault("model")
    _strike(what)
    made = keras.Sequential([keras.Input(input_shape), keras.layers.Dense(num_outputs, name="only")])
    return None if what == "none" else made


def optimizer() -> Any:
    """SGD."""
    made, what = sgd(learning_rate=0.1), _fault("optimizer")

    def update(*given: Any) -> Any:
        _strike(what)
        return made.update(*given)

    return None if what == "none" else made._replace(update=update)


class Executor:
    """Two threads."""

    num_workers = 2

    def __init__(self) -> None:
        self._made = threads(workers=2)

    def run(self, work: Any, items: Any) -> Any:
        """Some of the results."""
        context = getattr(work, "context", None)
        what = _fault("executor") if context is not None and context.round == ROUND else ""
        _strike(what)
        for index, result in enumerate(self._made.run(work, items)):
            if what == "too-few" and index == CLIENT:
                return
            yield None if what == "none" and index == CLIENT else result

    def close(self) -> None:
        """End the threads."""
        self._made.close()


def executor() -> Executor:
    """Two threads."""
    return Executor()


def schedule() -> Any:
    """A constant learning rate."""

    def factor(round: int, _rounds: int) -> Any:
        what = _fault("schedule") if round == ROUND else ""
        _strike(what)
        return {"none": None, "nan": float("nan")}.get(what, 1.0)

    return factor


def cohort() -> Cohort:
    """All clients."""
    made, rounds = full(), [0]

    def sample(rng: Any, count: int, state: Any) -> Any:
        rounds[0] += 1
        what = _fault("cohort") if rounds[0] == ROUND else ""
        _strike(what)
        wrong = {"stranger": [99], "twice": [0, 1, 1], "none": None}
        return wrong.get(what, made.sample(rng, count, state))

    return made._replace(name="mine", sample=sample)


def devices() -> Devices:
    """Log-normal devices."""
    made, calls = lognormal(), [0]

    def delay(rng: Any) -> float:
        calls[0] += 1
        _strike(_fault("devices") if calls[0] > CLIENT else "")
        return made.delay(rng)

    return made._replace(delay=delay)


def callback() -> Callback:
    """Sees every round."""

    def on_round_end(_run: Any, state: Any, _record: Any) -> Any:
        what = _fault("callback") if state.round == ROUND else ""
        _strike(what)
        return 3 if what == "number" else None

    return Callback(on_round_end=on_round_end)


def strategy() -> Strategy:
    """The plain mean, with a transform that does nothing."""
    made = STRATEGIES["mean"]()
    server, aggregator, rounds = made.server, made.aggregator, {"aggregator": 0, "server": 0}

    def at(where: str) -> str:
        rounds[where] += 1
        return _fault(where) if rounds[where] == ROUND else ""

    def aggregate(updates: Any, size: int, state: Any) -> Any:
        what, (found, state) = at("aggregator"), aggregator.aggregate(updates, size, state)
        _strike(what)
        changes: Mapping[str, Any] = {
            "none": {"value": None},
            "text": {"value": "a lot"},
            "complex": {"value": found.value.astype(complex)},
            "negative-weight": {"weight": -1.0},
            "infinite-weight": {"weight": float("inf")},
            "infinite-sum": {"value": found.value * np.inf},
            "shape": {"value": found.value[:1]},
        }
        return found._replace(**changes.get(what, {})), state

    def apply(weights: Any, mean: Any, state: Any, share: float) -> Any:
        what, (moved, state) = at("server"), server.apply(weights, mean, state, share)
        _strike(what)
        wrong = {"none": None, "shape": moved[:1], "nan-model": moved * np.float32("nan")}
        return wrong.get(what, moved), ({"v": moved * np.inf} if what == "nan-state" else state)

    return made._replace(
        name="mine",
        transforms=(*made.transforms, _transform()),
        aggregator=aggregator._replace(aggregate=aggregate),
        server=server._replace(apply=apply),
    )


def _transform() -> Transform:
    def encode(update: Any, _state: Any, context: Any) -> Any:
        everybody = _fault("all-clients") if context.round == ROUND else ""
        _strike(everybody)
        if everybody == "nan":
            return replace(update, payload=update.payload * np.float32("nan"))
        what = _fault("client") if (context.round, update.client) == (ROUND, CLIENT) else ""
        _strike(what)
        changes: Mapping[str, Any] = {
            "text": {"payload": "a lot"},
            "complex": {"payload": update.payload.astype(complex)},
            "nan": {"payload": update.payload * np.float32("nan")},
            "huge": {"payload": np.full_like(update.payload, 1e35)},
            "shape": {"payload": update.payload[:1]},
            "nan-weight": {"weight": float("nan")},
            "negative-weight": {"weight": -1.0},
            "infinite-weight": {"weight": float("inf")},
            "huge-weight": {"weight": 1e35, "num_examples": 1e35},
            "no-bytes": {"bytes_up": None},
            "nan-bytes": {"bytes_up": float("nan")},
            "metric-named-weight": {"metrics": {"weight": 1.0}, "weight": "a lot"},
            "nan-state": {"state": {"own": np.full(3, np.nan)}},
            "text-metric": {"metrics": {"loss": "low"}},
            "no-metrics": {"metrics": None},
            "other-client": {"client": 99},
        }
        return None if what == "none" else replace(update, **changes.get(what, {}))

    def begin(context: Any, _cohort: Any, _size: int) -> Any:
        from fedcli.core.rounds import Session

        _strike(_fault("begin") if context.round == ROUND else "")
        return Session(None)

    def admit(_update: Any, _state: Any, context: Any) -> None:
        _strike(_fault("admit") if context.round == ROUND else "")

    def decode(aggregate: Any, state: Any, context: Any) -> Any:
        what = _fault("decode") if context.round == ROUND else ""
        _strike(what)
        return (None if what == "none" else aggregate), state

    return Transform("mine", begin=begin, encode=encode, admit=admit, decode=decode)
