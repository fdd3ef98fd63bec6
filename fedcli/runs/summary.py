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

FORMAT = 1


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
    experiment: config.Experiment, records: Sequence[Row], ending: str | None, log_bytes: int
) -> Summary:
    """The summary of a run's records."""
    watched = (experiment.early_stop.metric,) if experiment.early_stop else ()
    planned = Planned(experiment.name, experiment.strategy.name, experiment.rounds, watched)
    return summary_of_plan(planned, records, ending, log_bytes)


def summary_of_plan(planned: Planned, records: Sequence[Row], ending: str | None, log_bytes: int) -> Summary:
    """The same, of a config that was read in part."""
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


def encode(summary: Summary) -> bytes:
    """The content of summary.json."""
    figures = summary.figures._asdict() if summary.figures else None
    return written({"format": FORMAT, **summary._asdict(), "figures": figures}, indent=1)


def read_summary(folder: Path) -> Summary | None:
    """The summary of a run directory; None if it has none that can be read and is up to date."""
    path, log = folder / directory.SUMMARY, folder / directory.METRICS
    try:
        said = parse_written(guarded.read_bytes(path, below=folder, limit=limits.RECORD), indent=1)
        if said.pop("format") != FORMAT or said["log_bytes"] != log.lstat().st_size:
            return None
        figures = said.pop("figures")
        return Summary(**said, figures=Headline(**figures) if figures else None)
    # It can be made again from the other files, so that it does not matter what is wrong with it.
    except (guarded.FileRefused, OSError, ValueError, KeyError, TypeError):
        return None
