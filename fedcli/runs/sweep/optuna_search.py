"""Settings that follow from the results so far, chosen by Optuna; its study is a file in the folder of the sweep."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias

from fedcli import config
from fedcli.config import Interval, Settings, SweepSpace
from fedcli.config.yaml.tree import Value
from fedcli.core.errors import ConfigError, MissingLibraryError
from fedcli.core.seeds import SERVER, seed
from fedcli.engine.run_columns import best_is
from fedcli.runs.sweep.children import status_of
from fedcli.runs.sweep.sweep_results import SweepResults
from fedcli.runs.sweep.trials import Trial, trials_of

if TYPE_CHECKING:
    import optuna

STUDY = "optuna.log"

RunTrials: TypeAlias = Callable[[Sequence[Trial]], SweepResults | None]
"""Runs what is not done of some runs, and returns the results of all that are."""


def search(space: SweepSpace, folder: Path, run: RunTrials, *, batch: int) -> list[Trial]:
    """Run settings that Optuna proposes, until as many as were asked for have a result, or one has failed.

    Args:
        space: the sweep; a setting is judged by the mean of the last values of its metric over the seeds.
        folder: the folder of the sweep, which exists.
        run: runs the settings.
        batch: settings that are proposed before the results of the others are known.

    Returns:
        The runs of all settings, in the order in which they were proposed.

    Raises:
        ConfigError: if a proposed setting is not valid, or there is no metric to judge by.
        MissingLibraryError: without the extra `sweep`.

    Reference: Akiba et al. 2019, Optuna, arXiv:1907.10902; Bergstra et al. 2011, Algorithms for Hyper-Parameter
    Optimization (the tree-structured Parzen estimator).
    """
    from optuna.trial import TrialState

    study = _study(space, folder)
    while True:
        unfinished = _unfinished(study, space)
        num_done = sum(trial.state is TrialState.COMPLETE for trial in study.trials)
        # What an earlier command has left comes first, so that as many are open at a time as were asked for.
        for _ in range(min(batch - len(unfinished), (space.trials or 1) - num_done - len(unfinished))):
            # Each proposal has a seed of its own: one that is drawn after a restart is not the first one again.
            study.sampler = _sampler(space, len(study.trials))
            _propose(study, space)
        unfinished = _unfinished(study, space)
        proposed = _distinct(
            [_settings(trial.params, space) for trial in study.trials if trial.state is not TrialState.FAIL]
        )
        trials = trials_of(space, proposed)
        results = run(trials)
        if not unfinished:
            return trials
        means = _means(results, trials, space)
        worst = math.inf if best_is(space.metric or "") == "min" else -math.inf
        for trial in trials:
            # A setting that ruins the model with one of the seeds is no good with the others either.
            if trial.group not in means and status_of(folder, trial).standing == "ruined":
                means[trial.group] = worst
        for number in unfinished:
            group = _group(trials, _settings(study.trials[number].params, space))
            if group not in means:
                # It failed or was stopped. It stays open, and the same command tries it again.
                return trials
            study.tell(number, means[group])


def corners(space: SweepSpace) -> list[Settings]:
    """Settings that have every value of a list and both ends of every interval once, to check them all before."""
    choices = {
        key: [values.low, values.high] if isinstance(values, Interval) else list(values)
        for key, values in space.axes.items()
    }
    most = max(len(values) for values in choices.values())
    return [{key: values[min(n, len(values) - 1)] for key, values in choices.items()} for n in range(most)]


def _study(space: SweepSpace, folder: Path) -> optuna.Study:
    try:
        import optuna
        from optuna.storages import JournalStorage
        from optuna.storages.journal import JournalFileBackend
    except ImportError:
        raise MissingLibraryError(
            "`search: optuna` needs the library optuna.",
            key="sweep.search",
            hint="Run: pip install 'fedcli[sweep]'",
        ) from None
    if space.metric is None:
        raise ConfigError(
            "an optuna search needs `metric`.", key="sweep.metric", hint="Add metric: test/accuracy."
        )
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    direction: Literal["minimize", "maximize"] = "minimize" if best_is(space.metric) == "min" else "maximize"
    storage = JournalStorage(JournalFileBackend(str(folder / STUDY)))
    # With other values a study begins anew, in the same file: Optuna cannot go on with it.
    name = sha256(repr((space.metric, space.axes, space.seeds, space.constants)).encode()).hexdigest()[:16]
    return optuna.create_study(storage=storage, study_name=name, direction=direction, load_if_exists=True)


def _sampler(space: SweepSpace, number: int) -> optuna.samplers.BaseSampler:
    from optuna.samplers import TPESampler

    return TPESampler(seed=seed(space.draw_seed, number, SERVER, "optuna") % 2**32)


def _propose(study: optuna.Study, space: SweepSpace) -> None:
    trial = study.ask()
    for key, values in space.axes.items():
        if not isinstance(values, Interval):
            # As text, since a value may be a mapping.
            trial.suggest_categorical(key, [config.inline(value) for value in values])
        elif values.is_integer:
            trial.suggest_int(key, int(values.low), int(values.high), log=values.log)
        else:
            trial.suggest_float(key, values.low, values.high, log=values.log)


def _unfinished(study: optuna.Study, space: SweepSpace) -> list[int]:
    """Numbers of the proposals without a result."""
    from optuna.trial import TrialState

    found = []
    for trial in study.get_trials(deepcopy=False):
        if trial.state is not TrialState.RUNNING:
            continue
        if trial.params.keys() == space.axes.keys():
            found.append(trial.number)
        else:
            # The process was killed between two values.
            study.tell(trial.number, state=TrialState.FAIL)
    return found


def _settings(params: dict[str, object], space: SweepSpace) -> dict[str, Value]:
    found: dict[str, Value] = {}
    for key, values in space.axes.items():
        said = params[key]
        if not isinstance(values, Interval):
            found[key] = next(value for value in values if config.inline(value) == said)
        elif isinstance(said, int | float):
            found[key] = values.rounded(said)
    return found


def _distinct(settings: Sequence[Settings]) -> list[Settings]:
    """Settings without those that were proposed before."""
    return list({str(sorted(each.items(), key=str)): each for each in settings}.values())


def _means(results: SweepResults | None, trials: Sequence[Trial], space: SweepSpace) -> dict[str, float]:
    """The mean over the seeds, by the group of the runs, of the settings of which all runs are done."""
    groups = {trial.name: trial.group for trial in trials}
    return {
        groups[group.runs[0].run.folder.name]: sum(group.values("last")) / len(group.runs)
        for group in (results.groups if results else ())
        if len(group.runs) == max(1, len(space.seeds))
    }


def _group(trials: Sequence[Trial], settings: Settings) -> str:
    return next(
        trial.group
        for trial in trials
        if all(trial.settings[key] == value for key, value in settings.items())
    )
