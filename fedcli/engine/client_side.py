"""The clients' side of a round: who takes part, what they train, and what they make of it to be sent."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from fedcli.components.cohorts import whose_turn
from fedcli.core.contracts import Transform
from fedcli.core.errors import InvalidUpdateError
from fedcli.core.rounds import (
    Absence,
    Assignment,
    Broadcast,
    ClientUpdate,
    Outcome,
    Rejection,
    RoundContext,
    RoundState,
)
from fedcli.core.seeds import SERVER, generator
from fedcli.engine import asynchronous
from fedcli.engine.adversary import ClientSide, attacked
from fedcli.engine.availability import Turn, Turnout, turnout
from fedcli.engine.setup import Parts


def attend(parts: Parts, state: RoundState, round: int) -> Turnout:
    """Who takes part in a round, and what becomes of everyone on the way."""
    if parts.strategy.buffer is not None:
        return asynchronous.flush(parts, state, round)
    return turnout(parts, round, sample_cohort(parts, round))


def sample_cohort(parts: Parts, round: int) -> list[int]:
    """The clients of a round, in the order of their numbers.

    Where privacy is amplified by sampling, the draw must be secret: it comes from the operating system.
    """
    if parts.strategy.privacy and not parts.reproducible_noise:
        rng = np.random.Generator(np.random.Philox(key=secrets.randbits(128)))
    else:
        rng = generator(parts.seed, round, SERVER, "cohort")
    present = whose_turn(parts.cohort, round, num_clients=parts.num_clients, root=parts.seed)
    return [int(client) for client in present[parts.cohort.sample(rng, len(present))]]


def train_cohort(
    parts: Parts, state: RoundState, context: RoundContext, present: Turnout
) -> Iterator[Outcome]:
    """Every client's outcome, lazily and in order: local training, then the transforms' client halves.

    Malicious clients craft what they send in between, some of them after all others have trained.
    """
    models = {turn.model: turn for turn in present.turns if turn.absence is None}
    starts = {model: broadcast_to(parts, state, context, turn) for model, turn in models.items()}
    transforms = parts.strategy.transforms
    side = ClientSide(partial(_train, parts, state, starts), partial(_encode, state, context), transforms)
    if parts.adversary is not None:
        return attacked(parts.adversary, parts.executor, present.turns, side, context)
    return parts.executor.map(lambda turn: side.encode(transforms, side.train(turn)), present.turns)


def broadcast_to(parts: Parts, state: RoundState, context: RoundContext, turn: Turn) -> Any:
    """What a client trains from, brought to the device: the model that it received, and the server's extras."""
    weights, statistics = asynchronous.model_of(state, turn)
    factor = parts.schedule(turn.model + 1, parts.rounds)
    extras = parts.strategy.server.broadcast(state.server)
    # The round of the arrival seeds the training: a client arrives once a round, whichever model it began from.
    return parts.runtime.prepare(Broadcast(context.round, weights, statistics, factor, extras))


def _train(parts: Parts, state: RoundState, starts: Mapping[int, Any], turn: Turn) -> Outcome:
    if turn.absence is not None:
        return Absence(turn.client, turn.absence)
    # A stored state is read here, by the worker, and once.
    kept = dict(state.clients.get(turn.client, {}).items())
    assignment = Assignment(turn.client, kept, turn.steps)
    try:
        update = parts.runtime.train(starts[turn.model], assignment)
    except InvalidUpdateError as error:
        return Rejection(turn.client, str(error))
    if parts.strategy.buffer is not None:
        update = replace(update, weight=update.weight * parts.strategy.buffer.discount(turn.staleness))
    # What the client kept for other parts than its trainer stays until they change it.
    return replace(update, state={**assignment.state, **update.state})


def _encode(
    state: RoundState, context: RoundContext, transforms: Sequence[Transform], outcome: Outcome
) -> Outcome:
    if not isinstance(outcome, ClientUpdate):
        return outcome
    try:
        for transform in transforms:
            outcome = transform.encode(outcome, state.transforms[transform.name], context)
    except InvalidUpdateError as error:
        return Rejection(outcome.client, str(error))
    return replace(outcome, private={})
