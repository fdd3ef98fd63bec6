"""The story of an experiment and of a round. A reader who knows this file knows the program."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

import numpy as np

from fedcli.components.encryption.encrypted_sum import Aggregation, encrypted_sum
from fedcli.core import averages
from fedcli.core.errors import RunInterrupted, VoidRoundError
from fedcli.core.rounds import (
    Aggregate,
    Outcome,
    RoundContext,
    RoundState,
)
from fedcli.core.types import Tree
from fedcli.core.vectors import digest
from fedcli.engine import evaluation
from fedcli.engine.admission import Arrivals, Row, Shelve, Watch, in_memory
from fedcli.engine.availability import Turnout
from fedcli.engine.client_side import attend, train_cohort
from fedcli.engine.clock import Clock
from fedcli.engine.ports import Deposit, Observer, Store, nowhere
from fedcli.engine.records import noised_only
from fedcli.engine.setup import Parts


def run_experiment(
    parts: Parts, state: RoundState, store: Store, observer: Observer
) -> tuple[RoundState, str]:
    """Run the rounds that are left, commit each, and say why the run ended.

    Raises:
        RunInterrupted: from the observer's `watch`; the last finished round is made durable first.
    """
    reason = _first(callback.on_start(store.records) for callback in parts.callbacks)
    try:
        while not (reason := reason or _nothing_left(parts, state)):
            state, record, clients = next_round(parts, state, store, observer.watch)
            if parts.publishes_noised_only:
                # Before anything is written, shown, or handed to a callback.
                record, clients = noised_only(record, parts.cohort.sampling(parts.num_clients)), []
            store.commit(state, record, clients)
            observer.round_end(record)
            reason = _first(callback.on_round_end(state, record) for callback in parts.callbacks)
    except RunInterrupted:
        store.checkpoint(state)
        raise
    store.checkpoint(state)
    for callback in parts.callbacks:
        callback.on_end(state, store.records)
    return state, reason


def next_round(
    parts: Parts, state: RoundState, store: Store, watch: Watch
) -> tuple[RoundState, Row, list[Row]]:
    """The next round, or its closing as charged and void if it may have released something before."""
    if store.is_charged(state.round + 1) and not parts.reproducible_noise:
        if parts.leaves_evidence:
            store.deposit(state.round + 1, {})
        return _void_round(parts, state)
    return run_round(parts, state, store.charge, watch, store.shelve, store.deposit)


def run_round(
    parts: Parts,
    state: RoundState,
    charge: Callable[[int], None],
    watch: Watch,
    shelve: Shelve = in_memory,
    deposit: Deposit = nowhere,
) -> tuple[RoundState, Row, list[Row]]:
    """One round: cohort, turnout, local training, arrival, aggregate, server half, server step, evaluation.

    Args:
        parts: the experiment.
        state: the last finished round.
        charge: told before anything is noised, where the run has a privacy event.
        watch: told of every client that is done.
        shelve: where clients' own states are put away.
        deposit: where the evidence of a round goes, in a run that leaves any.

    Returns:
        The state after the round, its record, and a row for each client of the cohort.
    """
    clock = Clock()
    present = attend(parts, state, state.round + 1)
    with clock.span("total"):
        context = context_of(parts, state, present)
        if parts.is_noised_by_clients:
            charge(context.round)
        arrivals = Arrivals(parts, state, context, present, watch, shelve)
        with clock.span("aggregate"):
            outcomes = clock.waiting(
                "train", train_cohort(parts, state, context, present), inside="aggregate"
            )
            try:
                moved, evidence = release(parts, state, context, arrivals, outcomes, charge)
                note = "no valid update: model unchanged" if moved.weights is state.weights else None
            except VoidRoundError as error:
                moved, evidence, note = state, {}, _void(parts, error)
            if parts.leaves_evidence:
                deposit(context.round, evidence)
        after = replace(
            moved,
            round=context.round,
            releases=state.releases + (parts.strategy.privacy is not None),
            seconds=state.seconds + (present.seconds or 0.0),
            underway=present.underway,
        )
        with clock.span("evaluate"):
            figures = evaluation.evaluate(parts, after) if _is_evaluated(parts, after) else {}
    record = {
        "round": after.round,
        **figures,
        **arrivals.summary(),
        **_simulated(present, after),
        **_epsilon(parts, after),
        **(context.exchange.figures() if context.exchange else {}),
        **context.meter.figures(),
        **({} if note is None else {"note": note}),
        **clock.seconds(),
    }
    return after, record, arrivals.rows


def context_of(parts: Parts, state: RoundState, present: Turnout) -> RoundContext:
    """What the transforms may know of the round; in a run that encrypts, with the round's exchange."""
    round = state.round + 1
    context = RoundContext(
        parts.seed,
        round,
        parts.reproducible_noise,
        parts.planned_weight,
        parts.layout.trainable.sizes,
        parts.run,
        digest(state.weights) if parts.leaves_evidence else b"",
        num_clients=parts.num_clients,
    )
    if parts.keys is None:
        return context
    cohort = [turn.client for turn in present.turns]
    named = f"{parts.run}:{round}".encode()
    exchange = parts.keys.begin(round, cohort, context=named, size=parts.payload_size)
    return replace(context, exchange=exchange)


def release(
    parts: Parts,
    state: RoundState,
    context: RoundContext,
    arrivals: Arrivals,
    outcomes: Iterable[Outcome],
    charge: Callable[[int], None],
) -> tuple[RoundState, Mapping[str, bytes]]:
    """The sum of what arrives, the transforms' server halves and the server's step; with the round's evidence.

    Raises:
        VoidRoundError: if nothing is released; every outcome was recorded all the same.
    """
    accepted = arrivals.accepted(outcomes)
    try:
        aggregate, aggregator = _aggregation(parts, context)(accepted, parts.payload_size, state.aggregator)
    except VoidRoundError:
        for _ in accepted:
            pass
        raise
    if parts.strategy.privacy and not parts.is_noised_by_clients:
        charge(context.round)
    needed = parts.strategy.min_updates
    if arrivals.num_accepted < needed:
        raise VoidRoundError(
            f"{arrivals.num_accepted} updates arrived; a sum of at least {needed} is released"
        )
    aggregate = aggregate._replace(accepted=tuple(arrivals.with_attachments))
    aggregate, transforms = decode(parts, state, context, aggregate)
    moved = move_model(parts, state, aggregate, arrivals)
    # What clients keep moves with the sum alone: a control variate is one half, the server's the other.
    kept = {**state.clients, **arrivals.states}
    return replace(moved, aggregator=aggregator, transforms=transforms, clients=kept), aggregate.evidence


def _aggregation(parts: Parts, context: RoundContext) -> Aggregation:
    return encrypted_sum(context.exchange) if context.exchange else parts.strategy.aggregator.aggregate


def decode(
    parts: Parts, state: RoundState, context: RoundContext, aggregate: Aggregate
) -> tuple[Aggregate, dict[str, Tree]]:
    """The transforms' server halves, last to first, and their states after the round."""
    states: dict[str, Tree] = {}
    for transform in reversed(parts.strategy.transforms):
        aggregate, states[transform.name] = transform.decode(
            aggregate, state.transforms[transform.name], context
        )
    return aggregate, states


def move_model(parts: Parts, state: RoundState, aggregate: Aggregate, arrivals: Arrivals) -> RoundState:
    """The server's step along the mean update. Without a valid update the model stays as it was."""
    divisor = parts.planned_weight or aggregate.weight
    if not divisor:
        return state
    # Under privacy the realised number of clients is not noised, so that it must not reach the model.
    count = arrivals.num_accepted if parts.planned_weight is None else parts.planned_weight
    share = count / parts.num_clients
    weights, server = parts.strategy.server.apply(
        state.weights, aggregate.value / divisor, state.server, share
    )
    statistics = arrivals.statistics()
    kept = state.statistics if statistics is None else statistics.astype(np.float32)
    decay = parts.average_decay
    average = state.average if decay is None else averages.add_model(state.average, weights, decay)
    return replace(state, weights=weights, statistics=kept, server=server, average=average)


def _void(parts: Parts, error: VoidRoundError) -> str:
    charged = "; the round is charged" if parts.strategy.privacy else ""
    return f"void: {error}{charged}"


def _void_round(parts: Parts, state: RoundState) -> tuple[RoundState, Row, list[Row]]:
    after = replace(state, round=state.round + 1, releases=state.releases + 1)
    note = "void: the run was stopped while it released this round, which is charged and not repeated"
    return after, {"round": after.round, "note": note, **_epsilon(parts, after)}, []


def _nothing_left(parts: Parts, state: RoundState) -> str | None:
    if state.round >= parts.rounds:
        return f"all {parts.rounds} rounds are done"
    target = parts.strategy.privacy
    if parts.accountant is None or target is None or target.epsilon is None:
        return None
    following = parts.accountant.epsilon(state.releases + 1, target.delta)
    if following <= target.epsilon:
        return None
    return f"the privacy budget is spent: one more round would make epsilon {following:.3g} of {target.epsilon:g}"


def _is_evaluated(parts: Parts, state: RoundState) -> bool:
    return state.round % parts.evaluation.every == 0 or _nothing_left(parts, state) is not None


def _simulated(present: Turnout, after: RoundState) -> Row:
    if present.seconds is None:
        return {}
    return {"simulated/round_seconds": present.seconds, "simulated/seconds": after.seconds}


def _epsilon(parts: Parts, state: RoundState) -> Row:
    if parts.accountant is None or parts.strategy.privacy is None:
        return {}
    epsilon = parts.accountant.epsilon(state.releases, parts.strategy.privacy.delta)
    return {"epsilon": epsilon if np.isfinite(epsilon) else None}


def _first(reasons: Iterable[str | None]) -> str | None:
    # Every callback is called, also after one has asked to stop.
    return next((reason for reason in list(reasons) if reason), None)
