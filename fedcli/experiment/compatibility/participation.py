"""Checks that the section `participation` (dropout, stragglers, deadlines, `wait_for`) fits strategy and cohort."""

from __future__ import annotations

from fedcli.config import Experiment
from fedcli.core.contracts import Buffer, Cohort, Strategy
from fedcli.core.errors import ConfigError

MOST_MODELS = 100
"""Older models that an asynchronous run may keep, in memory and in each checkpoint."""


def check(strategy: Strategy, experiment: Experiment, *, cohort: Cohort, num_clients: int) -> None:
    """Reject settings of participation, or an asynchronous strategy, that this experiment does not support.

    Args:
        strategy: with everything that surrounds it in the run.
        experiment: what the config says.
        cohort: who takes part in a round.
        num_clients: size of the population.

    Raises:
        ConfigError: with the reason and what would work.
    """
    settings, planned = experiment.participation, cohort.expected_size(num_clients)
    is_private = strategy.privacy_event is not None
    timed = [name for name in ("deadline", "wait_for") if getattr(settings, name) is not None]
    if experiment.devices is None and (timed or strategy.buffer):
        what = f"participation.{timed[0]}" if timed else f"the strategy {strategy.name}"
        raise ConfigError(
            f"{what} needs a simulated clock, which says how long each client takes.",
            key="devices",
            hint="Add for example devices: {name: lognormal}.",
        )
    if settings.wait_for is not None and settings.wait_for > planned:
        raise ConfigError(
            f"the server would wait for {settings.wait_for} updates of a cohort of {planned:g}.",
            key="participation.wait_for",
            hint="Over-selection draws a larger cohort than it waits for.",
        )
    if settings.stragglers and is_private:
        raise ConfigError(
            "an exact share of a cohort straggles, so one more client changes what others contribute; the clip "
            "does not bound that.",
            key="participation.stragglers",
            hint="Use participation.dropout or a deadline, which look at each client by itself.",
        )
    if settings.deadline is not None and strategy.is_noised_by_clients:
        raise ConfigError(
            "the number of a client's examples decides whether it is late, and a late client sends no noise: its "
            "absence would reveal what the noise hides.",
            key="participation.deadline",
            hint="Leave the deadline out; participation.dropout, which does not depend on data, may stay.",
        )
    if experiment.executor.parameters.get("client_timeout_seconds") and strategy.is_noised_by_clients:
        raise ConfigError(
            "what a client's data make it do decides how long it takes, and a client that is ended sends no noise: its "
            "absence would reveal what the noise hides.",
            key="executor.client_timeout_seconds",
            hint="Leave the time limit out.",
        )
    if settings.wait_for is not None and is_private:
        raise ConfigError(
            "the first updates of a cohort are not a random sample of the clients, which the accounting relies on.",
            key="participation.wait_for",
            hint="Leave wait_for out; a deadline, which looks at each client by itself, may stay.",
        )
    if strategy.buffer is not None:
        _check_buffer(strategy, strategy.buffer, experiment, cohort, num_clients)


def _check_buffer(
    strategy: Strategy, buffer: Buffer, experiment: Experiment, cohort: Cohort, num_clients: int
) -> None:
    is_private, planned = strategy.privacy_event is not None, cohort.expected_size(num_clients)
    if is_private or strategy.trainer.receives:
        what = (
            "the updates that arrive first are not a random sample of the clients, which the accounting relies on"
            if is_private
            else f"{strategy.trainer.name} would combine the server's current vectors with an older model"
        )
        raise ConfigError(
            f"{strategy.name} has asynchronous rounds: {what}.",
            key="strategy",
            hint="Leave the buffer out of this strategy.",
        )
    if not cohort.sampling(num_clients).has_fixed_size:
        raise ConfigError(
            f"{strategy.name} keeps a fixed number of clients at work; the cohort {cohort.name} has no fixed size.",
            key="cohort",
            hint="Use cohort: {name: uniform, size: ...}.",
        )
    if buffer.size > planned:
        raise ConfigError(
            f"a buffer of {buffer.size} updates needs at least as many clients at work; the cohort has {planned:g}.",
            key="strategy.buffer_size",
            hint=f"Use a buffer_size of at most {planned:g}, or a larger cohort.",
        )
    most = buffer.most_models(at_work=int(planned), rounds=experiment.rounds)
    if most > MOST_MODELS:
        raise ConfigError(
            f"{strategy.name} keeps every model that somebody still trains from, here up to {most:,}, in memory and in "
            f"each checkpoint; at most {MOST_MODELS} are supported.",
            key="strategy",
            hint=f"Use max_staleness: 20, which keeps at most 20, or at most {MOST_MODELS} clients at work.",
        )
    for name in ("stragglers", "deadline", "wait_for"):
        if getattr(experiment.participation, name):
            raise ConfigError(
                f"{strategy.name} waits only for its buffer to fill, and lets every client finish.",
                key=f"participation.{name}",
                hint=f"Leave participation.{name} out.",
            )
