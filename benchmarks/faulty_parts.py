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
from fedcli.components.cohorts import full
from fedcli.components.data import Dataset
from fedcli.components.devices import Devices, lognormal
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
    "no-metrics", "other-client", "shape",
)  # fmt: skip
VOID = ("infinite-sum", "void-weight", "nan-model")
"""After these, a round is void and the run goes on."""
CHANGES = {("client", "huge")}
"""After these, the model has other bits, and the run says so."""

FAULTS: list[Fault] = [
    *(("client", each, 0) for each in (*REJECTING, "huge", "chdir")),
    *(("all-clients", each, 1) for each in ("key-error", "exit-0")),
    *(("begin", each, 1) for each in ("key-error", "exit-0")),
    *(("admit", each, 1) for each in ("key-error", "broken-pipe")),
    *(("decode", each, 1) for each in ("key-error", "none")),
    *(("aggregator", each, 1) for each in (*RAISES, "none", "text", "complex", "negative-weight", "shape")),
    ("aggregator", "ctrl-c", 130),
    *(("aggregator", each, 0) for each in ("void-weight", "infinite-sum")),
    *(("server", each, 1) for each in ("key-error", "exit-0", "none", "shape")),
    ("server", "nan-model", 0),
    *(("cohort", each, 1) for each in ("key-error", "exit-0", "stranger", "none")),
    *(("schedule", each, 1) for each in ("key-error", "none", "nan")),
    *(("devices", each, 1) for each in ("key-error", "exit-0")),
    *(("callback", each, 1) for each in (*RAISES, "number")),
    ("callback", "chdir", 0),
    ("callback", "ctrl-c", 130),
    *(("dataset", each, 2) for each in ("key-error", "exit-0", "none")),
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
        return {"stranger": [99], "none": None}.get(what, made.sample(rng, count, state))

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
            "void-weight": {"weight": float("inf")},
            "infinite-sum": {"value": found.value * np.inf},
            "shape": {"value": found.value[:1]},
        }
        return found._replace(**changes.get(what, {})), state

    def apply(weights: Any, mean: Any, state: Any, share: float) -> Any:
        what, (moved, state) = at("server"), server.apply(weights, mean, state, share)
        _strike(what)
        wrong = {"none": None, "shape": moved[:1], "nan-model": moved * np.float32("nan")}
        return wrong.get(what, moved), state

    return made._replace(
        name="mine",
        transforms=(*made.transforms, _transform()),
        aggregator=aggregator._replace(aggregate=aggregate),
        server=server._replace(apply=apply),
    )


def _transform() -> Transform:
    def encode(update: Any, _state: Any, context: Any) -> Any:
        if context.round == ROUND:
            _strike(_fault("all-clients"))
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
