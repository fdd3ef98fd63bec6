"""Malicious clients in a round: who they are, what they train on, and what they send."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import NamedTuple, final

import numpy as np

from fedcli.components.attacks.attack import Adversary
from fedcli.core.contracts import Transform
from fedcli.core.errors import ConfigError
from fedcli.core.roles import Executor, FederationLike
from fedcli.core.rounds import ClientData, ClientUpdate, Outcome, RoundContext
from fedcli.core.seeds import SERVER, generator
from fedcli.core.types import Vector
from fedcli.engine.availability import Turn


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
    """A client's work: the two halves, each giving a rejection where it cannot be done, and what is done in the second.

    Args:
        train: its local training.
        encode: the client halves of the transforms, on what it found.
        transforms: the run's, which honest clients run.
    """

    train: Callable[[Turn], Outcome]
    encode: Callable[[Sequence[Transform], Outcome], Outcome]
    transforms: Sequence[Transform]


def attacked(
    adversary: Adversary,
    executor: Executor,
    turns: Iterable[Turn],
    side: ClientSide,
    context: RoundContext,
) -> Iterator[Outcome]:
    """Every client's outcome, with those of malicious clients crafted on their way.

    Where the attack looks at others, honest clients come first, and what it looks at is kept until they are done:
    their updates before any transform (4 P bytes each), or their messages. The others follow, both in cohort order.
    """
    encode = _encoder(adversary, side)
    if adversary.attack.looks_at_others:
        return _colluding(adversary, executor, turns, side._replace(encode=encode), context)

    def client_side(turn: Turn) -> Outcome:
        return encode(side.transforms, _forged(adversary, side.train(turn), context))

    return executor.map(client_side, turns)


def _encoder(adversary: Adversary, side: ClientSide) -> Callable[[Sequence[Transform], Outcome], Outcome]:
    """`side.encode`, with what the attack makes of the transforms for malicious clients."""
    cheat = adversary.attack.cheat
    if cheat is None:
        return side.encode
    bent = cheat(side.transforms)

    def encode(transforms: Sequence[Transform], outcome: Outcome) -> Outcome:
        return side.encode(bent if outcome.client in adversary.clients else transforms, outcome)

    return encode


def _colluding(
    adversary: Adversary,
    executor: Executor,
    turns: Iterable[Turn],
    side: ClientSide,
    context: RoundContext,
) -> Iterator[Outcome]:
    encode = partial(side.encode, side.transforms)

    def client_side(turn: Turn) -> tuple[Outcome, Outcome | None]:
        trained = _forged(adversary, side.train(turn), context)
        return trained, None if turn.client in adversary.clients else encode(trained)

    honest_first = sorted(turns, key=lambda turn: turn.client in adversary.clients)
    attack = adversary.attack
    own: list[Outcome] = []
    updates: list[Vector] = []
    messages: list[ClientUpdate] = []
    for trained, sent in executor.map(client_side, honest_first):
        if sent is None:
            own.append(trained)
            continue
        if attack.collude and isinstance(trained, ClientUpdate) and np.isfinite(trained.payload).all():
            updates.append(trained.payload)
        if attack.intercept and isinstance(sent, ClientUpdate):
            # What is on its way can be seen, and what its sender keeps cannot.
            messages.append(replace(sent, state={}, private={}))
        yield sent
    encoded = executor.map(encode, _colluded(adversary, own, updates, context))
    yield from _intercepted(adversary, list(encoded), messages, context) if attack.intercept else encoded


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


def _intercepted(
    adversary: Adversary, own: Sequence[Outcome], honest: Sequence[ClientUpdate], context: RoundContext
) -> list[Outcome]:
    """What malicious clients send in the place of their own messages."""
    messages = [outcome for outcome in own if isinstance(outcome, ClientUpdate)]
    intercept = adversary.attack.intercept
    if intercept is None or not messages:
        return list(own)
    rng = generator(context.root, context.round, SERVER, "intercept")
    sent = iter(intercept(messages, honest or messages, rng))
    return [next(sent) if isinstance(outcome, ClientUpdate) else outcome for outcome in own]
