"""The story of a sweep: check everything, go on with what is not done, write what was reached."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple, TypeAlias

from fedcli import config
from fedcli.config import SweepSpace, settings_of
from fedcli.core.errors import ConfigError
from fedcli.runs.addresses import RUNS
from fedcli.runs.sweep.children import LOGS, Standing, Status, run_all, status_of
from fedcli.runs.sweep.job_array import SCRIPT, job_array
from fedcli.runs.sweep.optuna_search import corners, search
from fedcli.runs.sweep.sweep_index import SweepIndex, read_index, updated, write_index
from fedcli.runs.sweep.sweep_results import SweepResults, results_of, write_results
from fedcli.runs.sweep.trials import Trial, trials_of
from fedcli.store import directory
from fedcli.store.files import durable, guarded, locks

WatchSweep: TypeAlias = Callable[[Sequence[Trial], Mapping[str, Standing]], None]


class SweepOutcome(NamedTuple):
    """How far a sweep is after a command.

    Args:
        folder: the folder of its runs.
        statuses: one for each run, in order.
        results: what the runs that are done have reached; None if none is.
    """

    folder: Path
    statuses: list[Status]
    results: SweepResults | None


def folder_of(space: SweepSpace, file: Path, first: Trial) -> Path:
    """Where the runs of a sweep go by default: `runs/sweep-NAME`, of the sweep's file or else of the experiment."""
    return RUNS / f"sweep-{file.stem if file != space.config else first.experiment.name}"


def planned_trials(space: SweepSpace) -> list[Trial]:
    """The runs of a grid or of a random search; of an optuna search, such as have every value once.

    Raises:
        ConfigError: with every problem of every config.
    """
    return trials_of(space, corners(space) if space.search == "optuna" else settings_of(space))


def sweep(
    space: SweepSpace,
    trials: Sequence[Trial],
    folder: Path,
    *,
    command: str,
    parallel: int,
    watch: WatchSweep,
    asked_to_stop: Callable[[], bool],
) -> SweepOutcome:
    """Go on with a sweep until all of its runs are done, have failed, or a person stops it.

    Args:
        space: the sweep.
        trials: its runs.
        folder: where they are.
        command: what was typed, for the index.
        parallel: processes at the same time.
        watch: called several times a second, with all runs and their standings by name.
        asked_to_stop: whether to stop.

    Raises:
        ConfigError: before anything begins, if a run in the folder was of another config.
        RunError: if another process goes on with the folder.
    """
    found = SweepOutcome(folder, [], None)

    def run(each: Sequence[Trial]) -> SweepResults | None:
        nonlocal found
        index = _indexed(folder, each, command)
        found = _run(space, each, folder, index, parallel=parallel, watch=watch, asked_to_stop=asked_to_stop)
        return found.results

    with _held(folder):
        if space.search == "optuna":
            search(space, folder, run, batch=-(-parallel // max(1, len(space.seeds))))
        else:
            run(trials)
    return found


def write_job_array(
    space: SweepSpace, trials: Sequence[Trial], folder: Path, *, command: str, options: str
) -> Path:
    """Write a script for Slurm instead of running anything, and return its path; raises as `sweep` does."""
    if space.search == "optuna":
        raise ConfigError(
            "an optuna search proposes settings by the results so far; a job array has all of them from the start.",
            hint="Use `search: random` with --slurm.",
        )
    script = job_array(folder, trials, space.config, options)
    with _held(folder):
        _indexed(folder, trials, command)
        durable.write(folder / SCRIPT, script)
    return folder / SCRIPT


@contextmanager
def _held(folder: Path) -> Iterator[None]:
    """The folder of a sweep, made and locked."""
    if guarded.exists(folder / directory.CONFIG, below=folder):
        raise ConfigError(f"{folder} is a run.", hint="Give the runs of a sweep a folder of their own.")
    durable.make_folder(folder / LOGS)
    lock = locks.hold(folder)
    try:
        yield
    finally:
        locks.release(lock)


def _indexed(folder: Path, trials: Sequence[Trial], command: str) -> SweepIndex:
    index = updated(folder, read_index(folder), trials, command)
    write_index(folder, index)
    return index


def _run(
    space: SweepSpace,
    trials: Sequence[Trial],
    folder: Path,
    index: SweepIndex,
    *,
    parallel: int,
    watch: WatchSweep,
    asked_to_stop: Callable[[], bool],
) -> SweepOutcome:
    before = {trial.name: status_of(folder, trial).standing for trial in trials}
    # What broke is tried last, so that it does not hold up the others.
    open_ones = sorted(
        (trial for trial in trials if before[trial.name] not in ("done", "ruined")),
        key=lambda trial: bool(index.runs[trial.name].failure),
    )
    ended = run_all(
        folder,
        open_ones,
        lambda trial: _command(space, trial),
        parallel=parallel,
        watch=lambda standings: watch(trials, {**before, **standings}),
        asked_to_stop=asked_to_stop,
    )
    for name, failure in ended.items():
        index = index.with_failure(name, failure)
    if ended:
        write_index(folder, index)
    statuses = [status_of(folder, trial, index.runs[trial.name].failure) for trial in trials]
    done = [status.trial for status in statuses if status.standing == "done"]
    ruined = [status.trial for status in statuses if status.standing == "ruined"]
    results = results_of(folder, done, ruined, space.metric)
    if results is not None:
        write_results(folder, trials, results)
    return SweepOutcome(folder, statuses, results)


def _command(space: SweepSpace, trial: Trial) -> list[str]:
    """The command that starts a run, which reads the config once more."""
    now = config.load(space.config, trial.overrides).experiment
    if now != trial.experiment:
        raise ConfigError(
            f"{space.config} was changed while its sweep was running; the runs that have begun go on unchanged.",
            hint="Put it back and repeat the command, or give the new runs a folder with --folder.",
        )
    return ["run", str(space.config), *trial.overrides]
