"""What clients do in a round, as a value that can travel to another thread, process or machine."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Literal, NamedTuple, final

import numpy as np

from fedcli.components.attacks.attack import Adversary
from fedcli.components.data import Federation
from fedcli.core.contracts import Strategy, Transform
from fedcli.core.errors import ClientError, ConfigError, FedcliError, InvalidUpdateError, RunInterrupted
from fedcli.core.roles import ClientRuntime
from fedcli.core.rounds import (
    Absence,
    Assignment,
    Broadcast,
    ClientUpdate,
    Outcome,
    Rejection,
    RoundContext,
)
from fedcli.core.seeds import generator
from fedcli.core.types import Tree
from fedcli.engine.turns import Turn

TRAINED = "trained"
"""The name under which an outcome brings the update before any transform, where an attack looks at it."""


class ClientSide(NamedTuple):
    """The clients' side of an experiment: what a process needs to do the work of any client.

    Args:
        runtime: trains one client, and measures models.
        federation: whose data is evaluated.
        strategy: whose transforms have client halves.
        adversary: the malicious clients, where there are any.
    """

    runtime: ClientRuntime
    federation: Federation
    strategy: Strategy
    adversary: Adversary | None = None


@final
class Clients:
    """The clients' side of an experiment, here; where it is sent to another process, it is built there again.

    Args:
        side: as it was built here.
        build: builds the same in another process; None where it cannot be built elsewhere.
        key: names this experiment among all of this process.
    """

    def __init__(
        self, side: ClientSide, build: Callable[[], ClientSide] | None = None, *, key: str | None = None
    ) -> None:
        self.side = side
        self._build, self._key = build, key or uuid.uuid4().hex

    def __reduce__(self) -> tuple[Callable[..., Clients], tuple[str, Callable[[], ClientSide]]]:
        if self._build is None:
            raise ConfigError(
                "this experiment has components that exist in this process only, so that no other process can "
                "train its clients.",
                key="executor",
                hint="Use executor: threads, or name the components as package.module:factory.",
            )
        return _built_elsewhere, (self._key, self._build)


# A worker process receives the work of every round, and builds the clients' side of an experiment once.
_BUILT: dict[str, Clients] = {}


def _built_elsewhere(key: str, build: Callable[[], ClientSide]) -> Clients:
    if key not in _BUILT:
        _BUILT.clear()
        _BUILT[key] = Clients(build(), build, key=key)
    return _BUILT[key]


@dataclass(frozen=True)
class ClientWork:
    """What the clients of a round do, each in its turn: train, attack where they are malicious, and encode.

    Args:
        clients: the clients' side of the experiment.
        context: of the round, as clients know it: without the server's sessions.
        broadcasts: what the server sent, by the round after which a client received it.
        states: each transform's server state, without what is secret.
        told: what each client is told in each mechanism's session, by transform and client.
        kept: what each client keeps from its last participation, by client.
        stage: `whole`, or the half before an attack looks at others (`train`), or the half after it (`encode`).
        crafted: for `encode`, the updates to encode, by client.
        shows_trained: whether outcomes bring the update before any transform, for an attack that looks at it.
    """

    clients: Clients
    context: RoundContext
    broadcasts: Mapping[int, Broadcast]
    states: Mapping[str, Tree]
    told: Mapping[str, Mapping[int, Any]] = field(default_factory=dict)
    kept: Mapping[int, Tree] = field(default_factory=dict)
    stage: Literal["whole", "train", "encode"] = "whole"
    crafted: Mapping[int, ClientUpdate] = field(default_factory=dict)
    shows_trained: bool = False

    def begin(self) -> Callable[[Turn], Outcome]:
        """Bring the broadcasts to this process's device, once; what is returned does the work of one turn."""
        side = self.clients.side
        starts = {model: side.runtime.prepare(sent) for model, sent in self.broadcasts.items()}
        return partial(self._outcome, side, _encoders(side), starts)

    def _outcome(
        self, side: ClientSide, encoders: _Encoders, starts: Mapping[int, Any], turn: Turn
    ) -> Outcome:
        if self.stage == "encode":
            return self._encoded(encoders, self.crafted[turn.client])
        trained = self._trained(side, starts, turn)
        if self.stage == "train" or not isinstance(trained, ClientUpdate):
            return trained
        sent = self._encoded(encoders, trained)
        if self.shows_trained and isinstance(sent, ClientUpdate):
            return replace(sent, private={TRAINED: trained.payload})
        return sent

    def _trained(self, side: ClientSide, starts: Mapping[int, Any], turn: Turn) -> Outcome:
        """Local training; of a malicious client, what the attack makes of its own update."""
        if turn.absence is not None:
            return Absence(turn.client, turn.absence)
        # A stored state is read here, by the worker, and once.
        kept = dict(self.kept.get(turn.client, {}).items())
        try:
            update = side.runtime.train(starts[turn.model], Assignment(turn.client, kept, turn.steps))
        except InvalidUpdateError as error:
            return Rejection(turn.client, str(error))
        except Exception as error:
            raise self._failed(
                turn.client, f"the client algorithm {side.strategy.trainer.name}", error
            ) from error
        if side.strategy.buffer is not None:
            update = replace(update, weight=update.weight * side.strategy.buffer.discount(turn.staleness))
        # What the client kept for other parts than its trainer stays until they change it.
        update = replace(update, state={**kept, **update.state})
        adversary = side.adversary
        if adversary is None or adversary.attack.forge is None or turn.client not in adversary.clients:
            return update
        rng = generator(self.context.root, self.context.round, turn.client, "attack")
        # What grows beyond float32 is refused on arrival, and needs no warning before.
        with np.errstate(over="ignore", invalid="ignore"):
            return replace(update, payload=adversary.attack.forge(update.payload, rng))

    def _encoded(self, encoders: _Encoders, update: ClientUpdate) -> Outcome:
        """The client halves of the transforms, first to last."""
        client = update.client
        told = {name: by_client[client] for name, by_client in self.told.items() if client in by_client}
        context = replace(self.context, told=told)
        for transform in encoders.of(client):
            try:
                update = transform.encode(update, self.states[transform.name], context)
            except InvalidUpdateError as error:
                return Rejection(client, str(error), update.figures)
            except Exception as error:
                raise self._failed(client, f"the transform {transform.name}", error) from error
        return replace(update, private={})

    def _failed(self, client: int, what: str, error: Exception) -> Exception:
        if isinstance(error, FedcliError | RunInterrupted):
            return error
        where = f"round {self.context.round}, client {client}"
        return ClientError(f"{where}: {what} failed: {type(error).__name__}: {error}")


class _Encoders(NamedTuple):
    """Whose client halves a client runs: the run's own, or what an attack on the protocol bends them to."""

    honest: Sequence[Transform]
    bent: Sequence[Transform]
    malicious: frozenset[int]

    def of(self, client: int) -> Sequence[Transform]:
        return self.bent if client in self.malicious else self.honest


def _encoders(side: ClientSide) -> _Encoders:
    transforms = side.strategy.transforms
    if side.adversary is None or side.adversary.attack.cheat is None:
        return _Encoders(transforms, transforms, frozenset())
    return _Encoders(transforms, side.adversary.attack.cheat(transforms), side.adversary.clients)
