"""The loop of an experiment: rounds until the plan or the privacy budget ends, each committed before the next."""

from __future__ import annotations

from dataclasses import replace

from fedcli.core.errors import (
    ClientError,
    ComponentError,
    LostWorkersError,
    RuinedModelError,
    RunInterrupted,
)
from fedcli.core.rounds import RoundState
from fedcli.core.user_code import blamed
from fedcli.engine.budget import nothing_left, spent
from fedcli.engine.evaluation import evaluate, is_evaluated
from fedcli.engine.hooks import Hooks
from fedcli.engine.ports import Observer, Store, Watch
from fedcli.engine.records import Row, noised_only
from fedcli.engine.round import run_round
from fedcli.engine.ruin import require_useful
from fedcli.engine.run_columns import columns_of
from fedcli.engine.setup import Assembly

_WITHHELD = (
    "round {}: the work of one client or more failed; `privacy.publish: noised-only` withholds whose, and why.\n"
    "  Run the config with `privacy.publish: all` on data that are not private, to see the reason."
)


def run_experiment(
    assembly: Assembly, state: RoundState, store: Store, observer: Observer, hooks: Hooks
) -> tuple[RoundState, str]:
    """Run the remaining rounds and commit each.

    Args:
        assembly: the experiment.
        state: after the last finished round.
        store: where the run is stored.
        observer: hears of its progress.
        hooks: the callbacks, which may stop it.

    Returns:
        The last state, and why the run ended.

    Raises:
        RunInterrupted, RuinedModelError, ComponentError: from the observer's `watch`, of a round that ruins the model,
            and of a component that fails; after a checkpoint of the last finished round. A charged round that ruined
            the model is finished as a void one.
    """
    committed = state
    try:
        reason = hooks.start(store.records)
        while not (reason := reason or nothing_left(assembly, state)):
            # A component that fails in its own place is named there; the disk of the run is none.
            with blamed("a part of this experiment", f"round {state.round + 1}", spares=OSError):
                state, record, clients = next_round(assembly, state, store, observer.watch)
            if assembly.protocol.publishes_noised_only:
                clients = []
            # Before it is written, shown or passed to a callback, because each of these publishes it.
            record = _published(assembly, record)
            reason = hooks.should_stop(state, record)
            if reason and not is_evaluated(assembly, state):
                # The last model of a run is the one that is used, so its figures belong in the record.
                figures = evaluate(assembly, state)
                require_useful(assembly, state, figures, {})
                record |= _published(assembly, figures)
            # Before the view and the callbacks hear of the round, so that a callback that fails loses none.
            store.commit(state, record, clients)
            committed = state
            observer.round_end(record)
            ended = hooks.round_end(state, record)
            reason = reason or ended
        store.checkpoint(state)
        hooks.end(state, store.records)
    # Of rounds that are finished none is repeated, if the store and its disk are not what failed.
    except (RunInterrupted, RuinedModelError, ComponentError, LostWorkersError) as error:
        if isinstance(error, RuinedModelError) and _may_be_released(assembly, committed, store):
            # Its noised model was looked at, and how the run ended tells of it: the statement of privacy counts it.
            committed, record = _closed(assembly, committed, store, "its model was ruined")
            record = _published(assembly, record)
            store.commit(committed, record, [])
            observer.round_end(record)
        store.checkpoint(committed)
        if isinstance(error, ClientError) and assembly.protocol.publishes_noised_only:
            # Who takes part is a secret of the run, and an exception may hold a value of a row.
            raise ClientError(_WITHHELD.format(committed.round + 1)) from None
        raise
    finally:
        hooks.close()
    return state, reason


def next_round(
    assembly: Assembly, state: RoundState, store: Store, watch: Watch
) -> tuple[RoundState, Row, list[Row]]:
    """The next round; it is void if the run was stopped in this round, after the charge, and may have released it."""
    if _may_be_released(assembly, state, store):
        after, record = _closed(assembly, state, store, "the run was stopped while it released this round")
        return after, record, []
    return run_round(assembly, state, store.charge, watch, store.shelve, store.deposit)


def _may_be_released(assembly: Assembly, state: RoundState, store: Store) -> bool:
    # Fresh noise on the same sum would be a second release. Noise from the seed gives the first release again.
    return store.is_charged(state.round + 1) and not assembly.protocol.reproducible_noise


def _closed(assembly: Assembly, state: RoundState, store: Store, why: str) -> tuple[RoundState, Row]:
    """The next round as a void one, which is paid for and not repeated."""
    if assembly.leaves_evidence:
        # Replaces what the interrupted run may have left: a void round has no evidence.
        store.deposit(state.round + 1, {})
    after = replace(state, round=state.round + 1, releases=state.releases + 1)
    note = f"void: {why}; the round is charged and not repeated"
    return after, {"round": after.round, "note": note, **spent(assembly, after)}


def _published(assembly: Assembly, record: Row) -> Row:
    if not assembly.protocol.publishes_noised_only:
        return record
    sampling = assembly.world.cohort.sampling(assembly.num_clients)
    return noised_only(
        record, columns_of(assembly.setup), sampling, has_public_test=assembly.setup.has_public_test
    )
