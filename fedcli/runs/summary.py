"""summary.json: what `fedcli runs` shows of a run. It is derived from the other files, and no check relies on it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from fedcli.runs.headline import Headline, headline, is_finite
from fedcli.store import directory
from fedcli.store.files import guarded, limits
from fedcli.store.files.canonical_json import parse_written, written

if TYPE_CHECKING:
    from fedcli import config
    from fedcli.engine.records import Row

FORMAT = 2
RUINED = "ruined: "
"""How the ending of a run begins of which a round would have ruined the model."""
# What an earlier format does not have.
_OF_THE_SECOND = ("best_checkpoint", "last_checkpoint")


class Summary(NamedTuple):
    """A run in one line.

    Args:
        name: the name in its config.
        strategy: the name of its strategy.
        planned: rounds that the config plans.
        rounds: rounds that were committed.
        ending: why it ended; None if it was interrupted or goes on.
        figures: the headline; None before the first evaluation.
        epsilon: after the last round; None without noise.
        seconds: time that its rounds took.
        log_bytes: size of metrics.jsonl at that time: a summary of another size is out of date.
        best_checkpoint: of the checkpoints with a model, the round that is best by the headline; None if none was
            evaluated.
        last_checkpoint: the last round with a checkpoint; None in summaries of an earlier version.
    """

    name: str
    strategy: str
    planned: int
    rounds: int
    ending: str | None
    figures: Headline | None
    epsilon: float | None
    seconds: float
    log_bytes: int
    best_checkpoint: int | None = None
    last_checkpoint: int | None = None


class Planned(NamedTuple):
    """What a summary has of the config.

    Args:
        name: the name of the experiment.
        strategy: the name of its strategy.
        rounds: how many it plans.
        watched: the column that early stopping watches, if it does.
    """

    name: str
    strategy: str
    rounds: int
    watched: tuple[str, ...] = ()


def summary_of(
    experiment: config.Experiment,
    records: Sequence[Row],
    ending: str | None,
    log_bytes: int,
    rounds: Sequence[int] = (),
) -> Summary:
    """The summary of a run's records.

    Args:
        experiment: the config.
        records: the rounds of metrics.jsonl.
        ending: why the run ended; None if it was interrupted or goes on.
        log_bytes: size of metrics.jsonl.
        rounds: those whose checkpoints have a model, ascending.
    """
    watched = (experiment.early_stop.metric,) if experiment.early_stop else ()
    planned = Planned(experiment.name, experiment.strategy.name, experiment.rounds, watched)
    # The best round of all may have no checkpoint, or a pruned one.
    kept = headline([row for row in records if row["round"] in set(rounds)], watched)
    return summary_of_plan(planned, records, ending, log_bytes)._replace(
        best_checkpoint=kept.best_round if kept else None, last_checkpoint=rounds[-1] if rounds else None
    )


def summary_of_plan(planned: Planned, records: Sequence[Row], ending: str | None, log_bytes: int) -> Summary:
    """The same, of a config that was read in part, and without the checkpoints."""
    epsilons = [row["epsilon"] for row in records if is_finite(row.get("epsilon"))]
    return Summary(
        planned.name,
        planned.strategy,
        planned.rounds,
        int(records[-1]["round"]) if records else 0,
        ending,
        headline(records, planned.watched),
        epsilons[-1] if epsilons else None,
        sum(row["seconds/total"] for row in records if is_finite(row.get("seconds/total"))),
        log_bytes,
    )


def encode(summary: Summary, format: int = FORMAT) -> bytes:
    """The content of summary.json, in the form of this version or of an earlier one."""
    figures = summary.figures._asdict() if summary.figures else None
    said = {"format": format, **summary._asdict(), "figures": figures}
    left_out = _OF_THE_SECOND if format == 1 else ()
    return written({name: value for name, value in said.items() if name not in left_out}, indent=1)


def read_summary(folder: Path) -> Summary | None:
    """The summary of a run directory; None if it has none that can be read and is up to date."""
    path, log = folder / directory.SUMMARY, folder / directory.METRICS
    try:
        said = parse_written(guarded.read_bytes(path, below=folder, limit=limits.RECORD), indent=1)
        if said.pop("format") not in (1, FORMAT) or said["log_bytes"] != log.lstat().st_size:
            return None
        figures = said.pop("figures")
        return Summary(**said, figures=Headline(**figures) if figures else None)
    # It can be made again from the other files, so that it does not matter what is wrong with it.
    except (guarded.FileRefused, OSError, ValueError, KeyError, TypeError):
        return None


def checkpoints_of(folder: Path) -> dict[str, int | None]:
    """The best and the last checkpoint of a run that has ended, as its summary marks them."""
    said = read_summary(folder)
    return {name: getattr(said, name, None) for name in _OF_THE_SECOND}
