"""One round: cohort, local training, admission, aggregation, server step, evaluation."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from fedcli.core import averages, kept_states
from fedcli.core.errors import VoidRoundError
from fedcli.core.figures import as_columns
from fedcli.core.roles import lost_workers
from fedcli.core.rounds import Aggregate, Broadcast, Outcome, RoundContext, RoundState, Session
from fedcli.core.sums import mean_of
from fedcli.core.types import Tree
from fedcli.core.user_code import blamed
from fedcli.core.vectors import digest
from fedcli.engine import adversary, evaluation, ruin
from fedcli.engine.admission import Arrivals
from fedcli.engine.asynchronous import model_of
from fedcli.engine.budget import spent
from fedcli.engine.client_work import ClientWork
from fedcli.engine.clock import Clock
from fedcli.engine.ports import Deposit, Shelve, Watch, in_memory, nowhere
from fedcli.engine.records import Row
from fedcli.engine.returned import require_aggregate, require_factor, require_weights
from fedcli.engine.selection import attend
from fedcli.engine.setup import Assembly
from fedcli.engine.turns import Turn, Turnout


def run_round(
    assembly: Assembly,
    state: RoundState,
    charge: Callable[[int], None],
    watch: Watch,
    shelve: Shelve = in_memory,
    deposit: Deposit = nowhere,
) -> tuple[RoundState, Row, list[Row]]:
    """Run one round.

    Args:
        assembly: the experiment.
        state: after the last finished round.
        charge: called with the round's number before a private run releases anything.
        watch: called for every finished client.
        shelve: stores the clients' own states.
        deposit: stores the round's evidence, if the strategy leaves any.

    Returns:
        The state after the round, its record, and one row for each client of the cohort.

    Raises:
        RuinedModelError: if the model after the round is of no use.
    """
    clock, lost_before = Clock(), len(lost_workers(assembly.executor))
    present = attend(assembly, state)
    with clock.span("total"):
        context = context_of(assembly, state, present)
        # Clients add their noise while they encode, so the charge must come before any of them begins.
        if assembly.strategy.is_noised_by_clients:
            charge(context.round)
        with clock.span("aggregate"):
            work = client_work(assembly, state, context, present.turns)
            # From here on the context is the server's, which learns nothing of what clients were told.
            context = replace(context, sessions=server_halves(context))
            arrivals = Arrivals(assembly, state, context, present, watch, shelve)
            outcomes = adversary.outcomes(assembly, work, present.turns)
            arriving = clock.waiting("train", outcomes, inside="aggregate")
            try:
                moved, evidence = release(assembly, state, context, arrivals, arriving, charge)
                ruin.require_sound(assembly, state, moved, arrivals.sizes)
                note = (
                    _without_updates(assembly, arrivals, is_unchanged=moved.weights is state.weights)
                    or arrivals.failures()
                )
            except VoidRoundError as error:
                charged = "; the round is charged" if assembly.strategy.privacy else ""
                moved, evidence, note = state, {}, f"void: {error}{charged}"
            if assembly.leaves_evidence:
                deposit(context.round, evidence)
        after = replace(
            moved,
            round=context.round,
            # A void round is charged as well, since it is never repeated.
            releases=state.releases + (assembly.strategy.privacy is not None),
            seconds=_clock(assembly, state, present),
            underway=present.underway,
            # After a void round too: the clients trained and reported, even if the sum of their updates was not
            # released.
            cohort=_observed(assembly, arrivals, state),
        )
        with clock.span("evaluate"):
            is_due = evaluation.is_evaluated(assembly, after)
            figures = evaluation.evaluate(assembly, after) if is_due else {}
            ruin.require_useful(assembly, after, figures, arrivals.sizes)
    lost = lost_workers(assembly.executor)[lost_before:]
    simulated = {"simulated/round_seconds": present.seconds, "simulated/seconds": after.seconds}
    record = {
        "round": after.round,
        **figures,
        **arrivals.summary(),
        **({} if present.seconds is None else simulated),
        **spent(assembly, after),
        **as_columns([arrivals.figures, *(each.figures() for each in context.sessions.values())]),
        **({} if note is None else {"note": note}),
        **({"workers/lost": "; ".join(lost)} if lost else {}),
        **clock.seconds(),
    }
    return after, record, arrivals.rows


def _without_updates(assembly: Assembly, arrivals: Arrivals, *, is_unchanged: bool) -> str | None:
    """A sentence on a round without a valid update; None if there was one, or nobody may know."""
    if is_unchanged:
        return "no valid update: model unchanged"
    is_alone = arrivals.rows and not arrivals.num_accepted
    is_shown = is_alone and not assembly.protocol.publishes_noised_only
    return "no valid update: the model moved by noise alone" if is_shown else None


def _observed(assembly: Assembly, arrivals: Arrivals, state: RoundState) -> Tree:
    cohort = assembly.world.cohort
    if cohort.observe is None:
        return state.cohort
    with blamed(f"the cohort {cohort.name}", f"round {state.round + 1}"):
        return cohort.observe(arrivals.reports, state.cohort)


def _clock(assembly: Assembly, state: RoundState, present: Turnout) -> float:
    """Simulated seconds since the start of the run, which a checkpoint holds."""
    # A slow client makes a slow round: the time tells who took part. Private runs have no buffer that needs it.
    if assembly.protocol.publishes_noised_only:
        return 0.0
    return state.seconds + (present.seconds or 0.0)


def context_of(assembly: Assembly, state: RoundState, present: Turnout) -> RoundContext:
    """The context of the next round: its seed, its public facts, and a session for each transform that needs one."""
    strategy, cohort = assembly.strategy, [turn.client for turn in present.turns]
    context = RoundContext(
        assembly.run.seed,
        state.round + 1,
        assembly.protocol.reproducible_noise,
        assembly.planned_weight,
        assembly.layout.trainable.sizes,
        assembly.run_id,
        # Hashing a large model takes time, and only evidence is bound to the hash.
        digest(state.weights) if assembly.leaves_evidence else b"",
        num_clients=assembly.num_clients,
        config_digest=assembly.config_digest,
        cohort=tuple(sorted(cohort)),
        identities=assembly.identities,
    )
    sizes = strategy.payload_sizes(assembly.layout.trainable.size)
    sessions: dict[str, Session] = {}
    for transform, size in zip(strategy.transforms, sizes, strict=False):
        if transform.begin is not None:
            with blamed(f"the transform {transform.name}", f"round {context.round}"):
                sessions[transform.name] = transform.begin(context, cohort, size)
    return replace(context, sessions=sessions)


def server_halves(context: RoundContext) -> dict[str, Session]:
    """The round's sessions without what clients were told."""
    return {name: session._replace(told={}) for name, session in context.sessions.items()}


def client_work(
    assembly: Assembly, state: RoundState, context: RoundContext, turns: Sequence[Turn]
) -> ClientWork:
    """The clients' work of a round, with the models that they start from and what each receives and keeps."""
    # Without absent clients: the model of an update that is too stale may no longer be kept.
    models = {turn.model: turn for turn in turns if turn.absence is None}
    return ClientWork(
        assembly.clients,
        replace(context, sessions={}, identities=None),
        {model: broadcast_to(assembly, state, turn) for model, turn in models.items()},
        # The server's secrets are not part of the clients' work, even if clients run in the server's process.
        states=state.without_secrets().transforms,
        told={name: session.told for name, session in context.sessions.items()},
        kept={turn.client: state.clients[turn.client] for turn in turns if turn.client in state.clients},
        rejects_failures=assembly.world.participation.rejects_failures,
        sums=_needs_only_sums(assembly),
    )


def _needs_only_sums(assembly: Assembly) -> bool:
    """Whether the server needs only sums of payloads, so that a worker may add those of its clients."""
    strategy, adversary = assembly.strategy, assembly.world.adversary
    if adversary is not None and adversary.attack.looks_at_others:
        return False
    return strategy.aggregator.takes_sums and not any(
        part.needs_single_updates for part in strategy.transforms
    )


def broadcast_to(assembly: Assembly, state: RoundState, turn: Turn) -> Broadcast:
    """What the server sends to a client: the model, the learning rate's factor and the extras of its optimizer."""
    weights, statistics = model_of(state, turn)
    with blamed(
        "the schedule of the learning rate", f"round {state.round + 1}", of=assembly.training.schedule
    ):
        factor = assembly.training.schedule(turn.model + 1, assembly.run.rounds)
        require_factor(factor)
    server = assembly.strategy.server
    with blamed(f"the server optimizer {server.name}", f"round {state.round + 1}"):
        extras = server.broadcast(state.server)
    # Randomness follows the round of arrival, which differs between two updates of one client. Their model may be the
    # same.
    return Broadcast(state.round + 1, weights, statistics, factor, extras)


def release(
    assembly: Assembly,
    state: RoundState,
    context: RoundContext,
    arrivals: Arrivals,
    outcomes: Iterable[Outcome],
    charge: Callable[[int], None],
) -> tuple[RoundState, Mapping[str, bytes]]:
    """Aggregate the admitted updates, decode the aggregate and take the server's step.

    Returns:
        The state with the new model, and the round's evidence.

    Raises:
        VoidRoundError: if nothing is released. Every outcome is recorded nevertheless.
    """
    strategy, accepted = assembly.strategy, arrivals.accepted(outcomes)
    adds = next((part.aggregate for part in reversed(strategy.transforms) if part.aggregate), None)
    try:
        if adds is None:
            rule = strategy.aggregator
            with blamed(f"the aggregator {rule.name}", f"round {context.round}", of=rule.aggregate):
                aggregate, aggregator = rule.aggregate(accepted, assembly.payload_size, state.aggregator)
                require_aggregate(aggregate, assembly.payload_size)
        else:
            aggregate, aggregator = adds(accepted, context), state.aggregator
    except VoidRoundError:
        # Outcomes are recorded as they are consumed.
        for _ in accepted:
            pass
        raise
    # Before anything is noised or decrypted: a run that is stopped from here on has paid for the round.
    if strategy.privacy and not assembly.strategy.is_noised_by_clients:
        charge(context.round)
    if arrivals.num_accepted < strategy.min_updates:
        raise VoidRoundError(
            f"{arrivals.num_accepted} updates arrived; a sum of at least {strategy.min_updates} is released"
        )
    aggregate = aggregate._replace(accepted=tuple(arrivals.with_attachments))
    aggregate, transforms = decode(assembly, state, context, aggregate)
    state = replace(state, aggregator=aggregator, transforms=transforms)
    moved = move_model(assembly, state, aggregate, arrivals)
    # Clients' states change only with the model: SCAFFOLD's server variate is the mean of those of the clients.
    clients = kept_states.updated(state.clients, arrivals.states)
    return replace(moved, clients=clients), aggregate.evidence


def decode(
    assembly: Assembly, state: RoundState, context: RoundContext, aggregate: Aggregate
) -> tuple[Aggregate, dict[str, Tree]]:
    """The aggregate after the transforms' server halves, last to first, and their states after the round."""
    states: dict[str, Tree] = {}
    # What clients did last to their updates is undone first.
    for transform in reversed(assembly.strategy.transforms):
        with blamed(f"the transform {transform.name}", f"round {context.round}", of=transform.decode):
            aggregate, states[transform.name] = transform.decode(
                aggregate, state.transforms[transform.name], context
            )
            require_aggregate(aggregate)
    return aggregate, states


def move_model(assembly: Assembly, state: RoundState, aggregate: Aggregate, arrivals: Arrivals) -> RoundState:
    """The state after the server's step along the mean update; without a valid update, the same state."""
    planned = assembly.planned_weight
    if not (divisor := planned or aggregate.weight):
        return state
    # In a private run the realised number of clients has no noise, so it must not affect the model.
    share = (arrivals.num_accepted if planned is None else planned) / assembly.num_clients
    server_optimizer = assembly.strategy.server
    where = f"round {state.round + 1}"
    # What overflows is told after the step, with the clients concerned, and not by a warning of NumPy.
    with (
        blamed(f"the server optimizer {server_optimizer.name}", where, of=server_optimizer.apply),
        np.errstate(over="ignore", invalid="ignore"),
    ):
        # Other rules may keep what they return, and so may transforms.
        own = assembly.strategy.aggregator.takes_sums and not assembly.strategy.transforms
        mean = mean_of(aggregate.value, divisor, {"aggregator": state.aggregator} if own else None)
        weights, server = server_optimizer.apply(state.weights, mean, state.server, share)
        require_weights(weights, state.weights)
    weights = np.asarray(weights, np.float32)
    statistics, decay = arrivals.statistics(), assembly.run.average_decay
    kept = state.statistics if statistics is None else statistics.astype(np.float32)
    average = state.average if decay is None else averages.add_model(state.average, weights, decay)
    return replace(state, weights=weights, statistics=kept, server=server, average=average)
