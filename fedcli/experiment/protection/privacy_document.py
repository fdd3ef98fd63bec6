"""privacy.json of a run as one function of its config, its facts and its releases, for the run and for `verify`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from fedcli.components.data.preprocessing.preprocessor import ExampleNoise
from fedcli.components.encryption.scheme import Encryption
from fedcli.config import Experiment, installed
from fedcli.core.column import Column
from fedcli.core.contracts import Strategy
from fedcli.core.rounds import RoundState
from fedcli.core.sampling_scheme import Sampling
from fedcli.engine.records import Row, published_from_data
from fedcli.engine.setup import Setup
from fedcli.experiment.make import make
from fedcli.experiment.planned_protocol import PlannedProtocol
from fedcli.experiment.protection.fixed_point import grid_of
from fedcli.privacy import Promise, RunFacts, privacy_statement

_LABELS = "the labels of the examples, which are not noised"


class PrivatePlan(NamedTuple):
    """What the config of a private run plans.

    Args:
        experiment: the config, with all numbers that it left to fedcli.
        strategy: with all transforms around it.
        sampling: how cohorts are drawn.
        encryption: with its planned parameters; None without encryption.
        data: noise on the clients' own examples; None without it.
    """

    experiment: Experiment
    strategy: Strategy
    sampling: Sampling
    encryption: Encryption | None
    data: ExampleNoise | None


def private_plan(planned: PlannedProtocol, num_clients: int) -> PrivatePlan:
    """The plan of a run whose data is not loaded.

    Custom preprocessing steps are not imported, so that noise of theirs is missing.

    Args:
        planned: the plan of the run's sums.
        num_clients: size of the population.
    """
    built_in = installed("data.preprocessing")
    steps = [
        make("data.preprocessing", part, key=f"data.preprocessing.{index}")
        for index, part in enumerate(planned.experiment.data.preprocessing)
        if part.name in built_in
    ]
    noises = [step.protection for step in steps if step.protection is not None]
    return PrivatePlan(
        planned.experiment,
        planned.strategy,
        planned.cohort.sampling(num_clients),
        planned.encryption,
        noises[0] if noises else None,
    )


def private_plan_of(setup: Setup) -> PrivatePlan:
    """The plan of a run whose data is loaded."""
    return PrivatePlan(
        setup.experiment,
        setup.protocol.strategy,
        setup.world.cohort.sampling(setup.num_clients),
        setup.protocol.encryption,
        setup.world.data_noise.protection if setup.world.data_noise else None,
    )


def promise_of(plan: PrivatePlan, *, has_public_test: bool, has_statistics: bool = False) -> Promise | None:
    """What the rounds of a run promise; None if they release nothing that is noised.

    Args:
        plan: of the run.
        has_public_test: whether the test set holds no rows of clients.
        has_statistics: whether the run publishes statistics of the clients' examples.
    """
    experiment, strategy = plan.experiment, plan.strategy
    event, target, grid = strategy.privacy_event, strategy.privacy, grid_of(strategy)
    if event is None or target is None:
        return None
    return Promise(
        event,
        plan.sampling,
        target,
        experiment.rounds,
        reproducible_noise=experiment.privacy.reproducible_noise,
        encryption=plan.encryption,
        publishes_noised_only=experiment.privacy.publish == "noised-only",
        has_public_test=has_public_test,
        keeps_client_states=bool(strategy.trainer.keeps) or strategy.trainer.is_personal,
        has_clock=experiment.devices is not None,
        has_statistics=has_statistics,
        grid_bits=None if grid is None else grid.bits,
    )


def privacy_document(
    plan: PrivatePlan, facts: RunFacts, *, releases: int, records: Sequence[Mapping[str, Any]]
) -> dict[str, Any] | None:
    """Content of privacy.json after `releases` rounds; None for a run without noise.

    Nothing in it is of the day or the machine on which it is made, except the version of dp-accounting.

    Args:
        plan: of the run.
        facts: of the run, from its environment.json.
        releases: rounds charged so far, void ones included.
        records: the rounds of metrics.jsonl so far.
    """
    # An older run does not say; its figures on the test set were published whatever it holds.
    has_public_test = facts.has_public_test is not False
    data = _of_data(plan, facts)
    # What is fitted after `privatise` learns from noised examples alone.
    has_statistics = facts.fitted_preprocessing is True and plan.data is None
    promise = promise_of(plan, has_public_test=has_public_test, has_statistics=has_statistics)
    if promise is None:
        return data
    columns: Mapping[str, Column] = {column.name: column for column in plan.strategy.columns}
    published = () if promise.publishes_noised_only else published_from_data(records, columns)
    statement = privacy_statement(promise, facts, releases=releases, records=records, published=published)
    return {
        **statement,
        "dataset": _dataset(plan),
        **({} if data is None else {"data": data}),
    }


def _of_data(plan: PrivatePlan, facts: RunFacts) -> dict[str, Any] | None:
    if plan.data is None:
        return None
    clients = plan.sampling.population
    promise = Promise(
        plan.data.event,
        # Everybody's data is noised, whoever takes part in a round.
        Sampling("full", clients, size=clients),
        plan.data.target,
        # The noise is drawn once, however many rounds are trained on the data.
        rounds=1,
        reproducible_noise=plan.experiment.privacy.reproducible_noise,
        publishes_noised_only=plan.experiment.privacy.publish == "noised-only",
    )
    statement = privacy_statement(promise, facts, releases=1)
    return {
        **statement,
        "dataset": _dataset(plan),
        "not_covered": [_LABELS, *statement["not_covered"]],
    }


def _dataset(plan: PrivatePlan) -> dict[str, Any]:
    data = plan.experiment.data
    return {
        "name": data.part.name,
        "partition": None if data.partition is None else data.partition.name,
        "clients": plan.sampling.population,
    }


def statement_of(setup: Setup, facts: RunFacts) -> Callable[[RoundState, Sequence[Row]], Row] | None:
    """What a private run states after a round, from its state and its records; None of a run without noise.

    Args:
        setup: the planned run.
        facts: of the run, for the statement.
    """
    private = private_plan_of(setup)
    if private.strategy.privacy is None and private.data is None:
        return None
    return lambda state, records: (
        privacy_document(private, facts, releases=state.releases, records=records) or {}
    )
