"""Which round's model a person means: a number, `last`, or `best` by the headline of the run."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from fedcli.core.errors import ConfigError
from fedcli.runs.headline import Headline, headline
from fedcli.runs.kept_checkpoints import planned_retention
from fedcli.runs.run_directory import Run
from fedcli.store import directory

Choice = int | Literal["best", "last"]


def chosen_round(folder: Path, choice: Choice) -> int:
    """The round of the model.

    Args:
        folder: the run directory.
        choice: its number, `last` for the last checkpoint, or `best` for the round with the best headline figure.

    Raises:
        ConfigError: if `folder` is not a run directory, the round has no checkpoint or a pruned one, or no round was
            evaluated.
        RunError: if the run has no checkpoint at all.
    """
    directory.read_config(folder)
    if choice == "best":
        return _best(folder)
    round = None if choice == "last" else choice
    place = directory.whole_checkpoint(folder, round, planned_retention(folder))
    return next(
        each
        for each in directory.finished_rounds(folder)
        if directory.checkpoint_folder(folder, each) == place
    )


def figures_of(folder: Path) -> Headline | None:
    """The headline of a run, by which its best round is chosen; None if no round was evaluated."""
    run = Run(folder)
    stop = run.config.experiment.early_stop
    return headline(run.records, [stop.metric] if stop else [])


def _best(folder: Path) -> int:
    found = figures_of(folder)
    if found is None:
        raise ConfigError(
            f"no round of {folder} was evaluated, so that none is the best.",
            hint="Use --round last, or --round N.",
        )
    rounds = directory.whole_rounds(folder)
    if found.best_round in rounds:
        return found.best_round
    was_there = found.best_round in directory.finished_rounds(folder)
    why = "of which the checkpoint was pruned" if was_there else "which has no checkpoint"
    values = {
        int(row["round"]): float(row[found.column])
        for row in Run(folder).records
        if row["round"] in rounds and isinstance(row.get(found.column), float)
    }
    hint = "Use --round last."
    if values:
        choose = max if found.better == "up" else min
        kept = choose(values, key=lambda round: values[round])
        hint = f"Of those with a model, round {kept} is the best ({values[kept]:.4g}): use --round {kept}."
    raise ConfigError(
        f"the best {found.column} ({found.best:.4g}) is that of round {found.best_round}, {why}.",
        hint=f"{hint} `checkpoint: {{every: 1, keep_best: true}}` keeps the best one.",
    )
