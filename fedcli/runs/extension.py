"""More rounds for a run than its config plans.

The config of a run is bound by its first checkpoint and stays as it is. Every checkpoint after an extension says how
many rounds were planned when it was written, so that the chain binds that too.
"""

from __future__ import annotations

from pathlib import Path

from fedcli.config import Experiment, loads
from fedcli.core.errors import ConfigError
from fedcli.engine.setup import Setup
from fedcli.experiment.plan import plan
from fedcli.store import directory

MOST_ROUNDS = 100_000


def extended(
    experiment: Experiment, folder: Path, more: int = 0, *, from_round: int | None = None
) -> Experiment:
    """The experiment with the rounds that the run plans now.

    Args:
        experiment: as its config plans it.
        folder: the run directory.
        more: rounds that are added to that.
        from_round: the round of the checkpoint from which it goes on; by default the last one.

    Raises:
        ConfigError: if those are more than a run may have.
    """
    rounds = max(experiment.rounds, directory.planned_rounds(folder, from_round) or 0) + more
    if rounds == experiment.rounds:
        return experiment
    if rounds > MOST_ROUNDS:
        raise ConfigError(
            f"the run would have {rounds:,} rounds; at most {MOST_ROUNDS:,} are possible.", key="rounds"
        )
    return experiment.model_copy(update={"rounds": rounds})


def planned_in_chain(folder: Path) -> int:
    """The rounds that config and checkpoints plan.

    An extension is in no checkpoint until the first round after it is durable; until then the run is as it was.
    """
    return directory.planned_rounds(folder) or planned_in_config(folder)


def planned_beyond(folder: Path, rounds: int) -> int | None:
    """The planned rounds, where they are not those of the run's config."""
    return None if rounds == planned_in_config(folder) else rounds


def planned_in_config(folder: Path) -> int:
    """The rounds that config.yaml plans, whatever was added since."""
    return loads(directory.config_text(folder), directory.CONFIG, imports=False).experiment.rounds


def reason_against(experiment: Experiment, *, is_private: bool) -> str | None:
    """Why a run cannot have more rounds than its config plans, as a sentence; None if it can.

    Args:
        experiment: its config.
        is_private: whether it adds noise for privacy.
    """
    if is_private:
        return (
            "it is private, and its noise and its privacy statement are for the rounds that its config plans. More "
            "rounds would release more about the same people, and epsilon would be larger than what was promised."
        )
    if experiment.encryption is not None:
        return "it is encrypted, and its parameters keep their strength for the rounds that its config plans."
    if experiment.proofs is not None:
        return (
            "its clients prove and sign under the config that they agreed to, with the rounds that it plans."
        )
    return None


def extended_plan(
    experiment: Experiment, folder: Path, more: int, *, data_key: bytes | None, from_round: int | None = None
) -> Setup:
    """The plan of a run with the rounds that it plans now.

    Args:
        experiment: as its config plans it.
        folder: the run directory.
        more: rounds that are added to that.
        data_key: the run's key of the noise on its clients' data; None without such noise.
        from_round: as in `extended`.

    Raises:
        ConfigError: if a part cannot be planned, or rounds are added to a run that cannot have them.
    """
    setup = plan(extended(experiment, folder, more, from_round=from_round), data_key=data_key)
    if more:
        require_extensible(setup, setup.run.rounds - more)
    return setup


def require_extensible(setup: Setup, planned: int) -> None:
    """Refuse more rounds for a run whose protection or schedule is for those that were planned.

    Args:
        setup: the plan with all rounds.
        planned: rounds that were planned before.

    Raises:
        ConfigError: with the reason.
    """
    private = setup.protocol.strategy.privacy_event is not None or setup.world.data_noise is not None
    reason = reason_against(setup.experiment, is_private=private)
    schedule, rounds = setup.training.schedule, setup.run.rounds
    depends = any(schedule(round, planned) != schedule(round, rounds) for round in range(1, planned + 1))
    if reason is None and depends:
        reason = "the schedule of its learning rate ends with the last planned round, so that its first rounds would "
        reason += "have had other learning rates."
    if reason is not None:
        raise ConfigError(
            f"this run cannot be extended: {reason}",
            hint="Start a new run with more rounds; model.initial_weights: RUN begins with this one's model.",
        )
