"""Malicious clients: their choice, their poisoned data and their crafted updates."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import final

import numpy as np

from fedcli.components.attacks.attack import Adversary, Attack
from fedcli.core.errors import ConfigError
from fedcli.core.roles import FederationLike
from fedcli.core.rounds import ClientData, ClientUpdate, Outcome, RoundContext
from fedcli.core.seeds import SERVER, generator
from fedcli.core.types import Vector
from fedcli.core.user_code import blamed
from fedcli.engine.client_work import TRAINED, ClientWork
from fedcli.engine.executed import executed
from fedcli.engine.setup import Assembly
from fedcli.engine.turns import Turn


def malicious_clients(
    share: float | None, clients: Sequence[int] | None, *, num_clients: int, root: int
) -> frozenset[int]:
    """The malicious clients: those that the config names, or a share of the population (at least one) drawn by seed.

    Raises:
        ConfigError: if a client does not exist, or no client is honest.
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
    """A federation in which the attack has changed the data of malicious clients, in the same way in every round."""

    def __init__(self, federation: FederationLike, adversary: Adversary, root: int) -> None:
        self._federation, self._adversary, self._root = federation, adversary, root

    def client(self, client: int) -> ClientData:
        data, poison = self._federation.client(client), self._adversary.attack.poison
        if poison is None or client not in self._adversary.clients or not len(data.y_train):
            return data
        # The seed of round 0, so that a client's data are poisoned in the same way in every round.
        return poison(data, generator(self._root, 0, client, "poison"))


def trained_on(federation: FederationLike, adversary: Adversary | None, root: int) -> FederationLike:
    """The data that clients train on. Evaluation uses `federation` itself, which no attack changes."""
    if adversary is None or adversary.attack.poison is None:
        return federation
    return _PoisonedFederation(federation, adversary, root)


def outcomes(assembly: Assembly, work: ClientWork, turns: Sequence[Turn]) -> Iterator[Outcome]:
    """The outcome of every client, lazily; malicious clients send what their attack makes.

    If the attack reads honest updates, honest clients come first and malicious ones after them, both in cohort order.
    What the attack reads is kept until then: the updates before any transform (4 P bytes each), or the messages.
    """
    adversary, executor = assembly.world.adversary, assembly.executor
    if adversary is None or not adversary.attack.looks_at_others:
        yield from executed(executor, work, turns)
        return
    attack = adversary.attack
    honest = [turn for turn in turns if turn.client not in adversary.clients]
    malicious = [turn for turn in turns if turn.client in adversary.clients]
    updates: list[Vector] = []
    messages: list[ClientUpdate] = []
    for outcome in executed(executor, replace(work, shows_trained=attack.collude is not None), honest):
        sent = outcome
        if isinstance(outcome, ClientUpdate):
            trained = outcome.private.get(TRAINED)
            # One diverged update would turn the means that an attack calculates into NaN.
            if trained is not None and np.isfinite(trained).all():
                updates.append(trained)
            # An attacker can read messages, but not what the sender keeps on its device.
            sent = replace(outcome, private={})
            if attack.intercept is not None:
                messages.append(replace(sent, state={}))
        yield sent
    # In two stages, because what attackers send follows from all honest updates, and is then encoded like any other.
    own = list(executed(executor, replace(work, stage="train"), malicious))
    crafted = _colluded(attack, own, updates, work.context)
    trained_ones = {each.client: each for each in crafted if isinstance(each, ClientUpdate)}
    encoding = replace(work, stage="encode", crafted=trained_ones)
    encoded = {
        outcome.client: outcome
        for outcome in executed(
            executor, encoding, [turn for turn in malicious if turn.client in trained_ones]
        )
    }
    yield from _intercepted(
        attack, [encoded.get(each.client, each) for each in crafted], messages, work.context
    )


def _colluded(
    attack: Attack, own: Sequence[Outcome], honest: Sequence[Vector], context: RoundContext
) -> Sequence[Outcome]:
    """The outcomes of malicious clients after `attack.collude`; a client whose training failed sends no update."""
    vectors = [outcome.payload for outcome in own if isinstance(outcome, ClientUpdate)]
    if attack.collude is None or not vectors:
        return own
    rng = generator(context.root, context.round, SERVER, "attack")
    with blamed("the attack", f"round {context.round}"), np.errstate(over="ignore", invalid="ignore"):
        # Without an honest update in the round, attackers estimate from their own.
        crafted = iter(attack.collude(vectors, honest or vectors, rng))
    return [
        replace(outcome, payload=next(crafted)) if isinstance(outcome, ClientUpdate) else outcome
        for outcome in own
    ]


def _intercepted(
    attack: Attack, own: Sequence[Outcome], honest: Sequence[ClientUpdate], context: RoundContext
) -> Sequence[Outcome]:
    """The outcomes of malicious clients after `attack.intercept`, which replaces their messages."""
    messages = [outcome for outcome in own if isinstance(outcome, ClientUpdate)]
    if attack.intercept is None or not messages:
        return own
    rng = generator(context.root, context.round, SERVER, "intercept")
    with blamed("the attack", f"round {context.round}"):
        sent = iter(attack.intercept(messages, honest or messages, rng))
    return [next(sent) if isinstance(outcome, ClientUpdate) else outcome for outcome in own]
