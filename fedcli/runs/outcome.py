"""The files that a run leaves for people at its end, also if it was interrupted: a table, a picture, a summary."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from fedcli.core.errors import RuinedModelError
from fedcli.engine.records import Row
from fedcli.engine.run_columns import columns_of
from fedcli.engine.setup import Setup
from fedcli.runs import summary
from fedcli.runs.curves import curves, title_of
from fedcli.runs.extension import planned_in_chain
from fedcli.runs.lifecycle import Progress, Result
from fedcli.runs.results_table import results_table
from fedcli.store import directory
from fedcli.store.files import durable


def with_outcome(go: Callable[..., Result], progress: Progress) -> tuple[Result, str | None]:
    """Start or resume a run, and write results.csv, curves.png and summary.json when it ends, however it ends.

    Args:
        go: starts or resumes the run; takes a keyword `progress`.
        progress: called while it runs.

    Returns:
        The result, and a sentence on what could not be written; None if all was.

    Raises:
        FedcliError: whatever `go` raises.
    """
    begun: list[tuple[Path, Setup, list[Row]]] = []

    def begin(folder: Path, setup: Setup, records: list[Row]) -> None:
        # The list grows with the run, whose callbacks may change the working folder.
        begun.append((folder.absolute(), setup, records))
        progress.begin(folder, setup, records)

    try:
        result = go(progress=progress._replace(begin=begin))
    except RuinedModelError as error:
        # The same config would end in the same way, so that the run is no interrupted one.
        for folder, setup, records in begun:
            _written(folder, setup, records, summary.RUINED + str(error).partition("\n")[0])
        raise
    except Exception:
        # Whoever looks at the folder of an interrupted run wants to see how far it got.
        for folder, setup, records in begun:
            _written(folder, setup, records, None)
        raise
    warnings = [_written(folder, setup, records, result.ending) for folder, setup, records in begun]
    return result, warnings[0] if warnings else None


def _written(folder: Path, setup: Setup, records: list[Row], ending: str | None) -> str | None:
    """Write the files; the sentence that says what could not be written, if anything could not."""
    experiment = setup.experiment
    try:
        durable.write(folder / directory.RESULTS, results_table(records, columns_of(setup)))
        size = (folder / directory.METRICS).stat().st_size
        # Rounds that were asked for and are in no checkpoint are not planned: plain `--resume` does not know of them.
        planned = experiment.model_copy(update={"rounds": planned_in_chain(folder)})
        said = summary.summary_of(planned, records, ending, size, directory.whole_rounds(folder))
        durable.write(folder / directory.SUMMARY, summary.encode(said))
        picture = curves(records, title_of(experiment))
        if picture is not None:
            durable.write(folder / directory.CURVES, picture)
    # Whatever fails here, and drawing uses much code of others: the run is done, and must not end as failed.
    except Exception as error:  # noqa: BLE001
        names = f"{directory.RESULTS}, {directory.SUMMARY} or {directory.CURVES}"
        return f"{names} could not be written ({type(error).__name__}: {error}); the run itself is complete."
    return None
