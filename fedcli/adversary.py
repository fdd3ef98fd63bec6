"""Malicious clients in a round: who they are, what they train on, and what they send."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple, final

import numpy as np

from fedcli.core.attacks import Adversary
from fedcli.core.errors import ConfigError
from fedcli.core.seeds import SERVER, generator
from fedcli.core.types import (
    ClientData,
    ClientUpdate,
    Executor,
    FederationLike,
    Outcome,
    RoundContext,
    Vector,
)
from fedcli.participation import Turn


def malicious_clients(
    share: float | None, clients: Sequence[int] | None, *, num_clients: int, root: int
) -> frozenset[int]:
    """The malicious ones of a population: those named, or a share of it (at least one) drawn by the seed.

    Raises:
        ConfigError: if there is no such client, or nobody honest is left.
    """
    if clients is not None:
        beyond = [client for client in clients if client >= num_clients]
        if beyond:
            raise ConfigError(
                f"there is no client {beyond[0]}; the {num_clients} clients are numbered from 0.",
                key="clients",
            )
        chosen = frozenset(clients)
    else:
        count = max(1, round((share or 0.0) * num_clients))
        rng = generator(root, 0, SERVER, "malicious")
        chosen = frozenset(rng.choice(num_clients, count, replace=False).tolist())
    if len(chosen) == num_clients:
        raise ConfigError(
            f"all {num_clients} clients would be malicious, which leaves nobody to defend.",
            key="share" if clients is None else "clients",
            hint="Use fewer malicious clients.",
        )
    return chosen


@final
class _PoisonedFederation:
    """A federation whose malicious clients hold what the attack makes of their data, the same in every round."""

    def __init__(self, federation: FederationLike, adversary: Adversary, root: int) -> None:
        self._federation, self._adversary, self._root = federation, adversary, root

    def client(self, client: int) -> ClientData:
        data, poison = self._federation.client(client), self._adversary.attack.poison
        if poison is None or client not in self._adversary.clients or not len(data.y_train):
            return data
        return poison(data, generator(self._root, 0, client, "poison"))


def trained_on(federation: FederationLike, adversary: Adversary | None, root: int) -> FederationLike:
    """What the clients train on. Evaluation looks at the federation itself, which stays clean."""
    if adversary is None or adversary.attack.poison is None:
        return federation
    return _PoisonedFederation(federation, adversary, root)


class ClientSide(NamedTuple):
    """The two halves of a client's work, each giving a rejection where it cannot be done."""

    train: Callable[[Turn], Outcome]
    encode: Callable[[Outcome], Outcome]


def attacked(
    adversary: Adversary,
    executor: Executor,
    turns: Iterable[Turn],
    side: ClientSide,
    context: RoundContext,
) -> Iterator[Outcome]:
    """Every client's outcome, with those of malicious clients crafted before they are encoded.

    Where the attack colludes, honest clients come first, and their updates before any transform are kept
    until they are done (4 P bytes each); the others follow, both in cohort order.
    """
    if adversary.attack.collude is not None:
        return _colluding(adversary, executor, turns, side, context)

    def client_side(turn: Turn) -> Outcome:
        return side.encode(_forged(adversary, side.train(turn), context))

    return executor.map(client_side, turns)


def _colluding(
    adversary: Adversary,
    executor: Executor,
    turns: Iterable[Turn],
    side: ClientSide,
    context: RoundContext,
) -> Iterator[Outcome]:
    def client_side(turn: Turn) -> tuple[Outcome, Outcome | None]:
        trained = _forged(adversary, side.train(turn), context)
        return trained, None if turn.client in adversary.clients else side.encode(trained)

    honest_first = sorted(turns, key=lambda turn: turn.client in adversary.clients)
    own: list[Outcome] = []
    seen: list[Vector] = []
    for trained, sent in executor.map(client_side, honest_first):
        if sent is None:
            own.append(trained)
            continue
        if isinstance(trained, ClientUpdate) and np.isfinite(trained.payload).all():
            seen.append(trained.payload)
        yield sent
    yield from executor.map(side.encode, _colluded(adversary, own, seen, context))


def _forged(adversary: Adversary, outcome: Outcome, context: RoundContext) -> Outcome:
    forge, client = adversary.attack.forge, outcome.client
    if forge is None or client not in adversary.clients or not isinstance(outcome, ClientUpdate):
        return outcome
    # What grows beyond float32 is refused on arrival, and needs no warning before.
    with np.errstate(over="ignore", invalid="ignore"):
        payload = forge(outcome.payload, generator(context.root, context.round, client, "attack"))
    return replace(outcome, payload=payload)


def _colluded(
    adversary: Adversary, own: Sequence[Outcome], honest: Sequence[Vector], context: RoundContext
) -> list[Outcome]:
    """The malicious outcomes of a round; a client that has failed to train sends nothing."""
    vectors = [outcome.payload for outcome in own if isinstance(outcome, ClientUpdate)]
    collude = adversary.attack.collude
    if collude is None or not vectors:
        return list(own)
    rng = generator(context.root, context.round, SERVER, "attack")
    with np.errstate(over="ignore", invalid="ignore"):
        crafted = iter(collude(vectors, honest or vectors, rng))
    return [
        replace(outcome, payload=next(crafted)) if isinstance(outcome, ClientUpdate) else outcome
        for outcome in own
    ]
