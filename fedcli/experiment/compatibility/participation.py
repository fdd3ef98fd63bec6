"""Who may be lost or late, and for whom the server may wait: what has a meaning with the rest of the experiment."""

from __future__ import annotations

from fedcli.config import Experiment
from fedcli.core.contracts import Buffer, Cohort, Strategy
from fedcli.core.errors import ConfigError
from fedcli.core.privacy_events import Event, is_noised_by_clients


def check(
    strategy: Strategy, experiment: Experiment, *, cohort: Cohort, event: Event | None, num_clients: int
) -> None:
    """Refuse what the section participation, or an asynchronous strategy, cannot have here.

    Args:
        strategy: with what surrounds it.
        experiment: what the config says.
        cohort: who takes part.
        event: the strategy's privacy event.
        num_clients: size of the population.

    Raises:
        ConfigError: with the reason and what would work.
    """
    settings, planned = experiment.participation, cohort.expected_size(num_clients)
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
    if settings.stragglers and event is not None:
        raise ConfigError(
            "an exact share of a cohort straggles, so that one client more changes what others contribute, which "
            "the clip does not bound.",
            key="participation.stragglers",
            hint="Use participation.dropout or a deadline, which look at each client by itself.",
        )
    if settings.deadline is not None and is_noised_by_clients(event):
        raise ConfigError(
            "a client's examples decide whether it is late, and who is late sends no noise: its absence would tell "
            "what the noise hides.",
            key="participation.deadline",
            hint="Leave the deadline out; participation.dropout, whose coins know no data, may stay.",
        )
    if settings.wait_for is not None and event is not None:
        raise ConfigError(
            "the first updates of a cohort are not a random sample of the clients, which the accounting relies on.",
            key="participation.wait_for",
            hint="Leave wait_for out; a deadline, which looks at each client by itself, may stay.",
        )
    if strategy.buffer is not None:
        _check_buffer(strategy, strategy.buffer, experiment, cohort, event, planned)


def _check_buffer(
    strategy: Strategy,
    buffer: Buffer,
    experiment: Experiment,
    cohort: Cohort,
    event: Event | None,
    planned: float,
) -> None:
    settings = experiment.participation
    if event is not None or strategy.trainer.receives:
        what = (
            "whose updates come first is not a random sample of the clients, which the accounting relies on"
            if event is not None
            else f"{strategy.trainer.name} would meet what the server sends along now with a model of before"
        )
        raise ConfigError(
            f"{strategy.name} has asynchronous rounds: {what}.",
            key="strategy",
            hint="Leave the buffer out of this strategy.",
        )
    if cohort.name not in ("uniform", "full"):
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
    for name in ("stragglers", "deadline", "wait_for"):
        if getattr(settings, name):
            raise ConfigError(
                f"{strategy.name} waits for its buffer and for nothing else, and lets everyone finish.",
                key=f"participation.{name}",
                hint=f"Leave participation.{name} out.",
            )
