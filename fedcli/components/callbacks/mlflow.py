"""MLflow: parameters, metrics and files of runs in one store."""

from __future__ import annotations

import os
import re
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from fedcli.components.callbacks.callback import Callback, Record, RunContext
from fedcli.components.callbacks.tracking import Tracker, metrics_of, parameters_of, tracking
from fedcli.core.rounds import RoundState

_TAG = "fedcli.run"
# The most that a store takes at once.
_PARAMETERS, _LONGEST = 100, 6000


def mlflow(*, uri: str = "mlruns", experiment: str | None = None, model: bool = True) -> Callback:
    """Config, figures, curves and model of a run in an MLflow store; the same MLflow run goes on after a resume.

    In the names of metrics only the first slash stays, as in `validation/loss.worst`.

    Needs `pip install 'fedcli[mlflow]'`. `MLFLOW_ALLOW_FILE_STORE=true mlflow ui --backend-store-uri mlruns` shows the
    default store.

    Args:
        uri: the store: a folder, or any tracking URI of MLflow, such as `sqlite:///mlflow.db`.
        experiment: name of the MLflow experiment; by default the name of the experiment.
        model: whether the model at the end of the run is stored too, as model.keras.
    """
    return tracking("mlflow", lambda run, records: _begin(run, records, uri, experiment, keeps_model=model))


def _begin(
    run: RunContext, records: Sequence[Record], uri: str, experiment: str | None, *, keeps_model: bool
) -> Tracker:
    # Nothing here may use the network unless the user names a server. A folder is a store that MLflow asks about.
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("MLFLOW_ALLOW_FILE_STORE", "true")
    from mlflow import MlflowClient
    from mlflow.entities import Metric, Param

    client = MlflowClient(tracking_uri=uri if "://" in uri else Path(uri).absolute().as_uri())
    tracked, logged = _found_or_made(client, run, experiment or run.experiment.name)
    if logged is None:
        said = [
            Param(_named(key), str(value)[:_LONGEST]) for key, value in parameters_of(run.experiment).items()
        ]
        for first in range(0, len(said), _PARAMETERS):
            client.log_batch(tracked, params=said[first : first + _PARAMETERS])

    def log(record: Record) -> None:
        step, now = int(record["round"]), int(time.time() * 1000)
        figures = {_metric(name): value for name, value in metrics_of(record).items()}
        new = {name: value for name, value in figures.items() if (name, step) not in (logged or ())}
        client.log_batch(tracked, metrics=[Metric(name, value, now, step) for name, value in new.items()])

    def finish(run: RunContext, state: RoundState, records: Sequence[Record]) -> None:
        with tempfile.TemporaryDirectory() as place:
            picture = run.picture(records)
            if picture is not None:
                (Path(place) / "curves.png").write_bytes(picture)
            if keeps_model:
                run.model(state).save(Path(place) / "model.keras")
            client.log_artifacts(tracked, place)
        client.set_terminated(tracked, "FINISHED")

    def close() -> None:
        if client.get_run(tracked).info.status == "RUNNING":
            client.set_terminated(tracked, "KILLED")

    for record in records:
        log(record)
    return Tracker(log, close, finish)


def _found_or_made(client: Any, run: RunContext, name: str) -> tuple[str, set[tuple[str, int]] | None]:
    """The MLflow run of this run, and what it has already by name and round; None if it is new."""
    known = client.get_experiment_by_name(name)
    place = client.create_experiment(name) if known is None else known.experiment_id
    found = client.search_runs([place], f"tags.`{_TAG}` = '{run.id}'", max_results=1)
    if not found:
        tags = {_TAG: run.id, "fedcli.folder": str(run.folder.absolute())}
        return client.create_run(place, tags=tags, run_name=run.folder.name).info.run_id, None
    tracked = found[0].info.run_id
    client.update_run(tracked, status="RUNNING")
    # A round that is repeated has the same figures, and would be there twice.
    names = found[0].data.metrics
    return tracked, {
        (each.key, each.step) for name in names for each in client.get_metric_history(tracked, name)
    }


def _metric(column: str) -> str:
    """The name of a column's metric, such as `validation/loss.worst`: MLflow groups by what is before a slash.

    A store in a folder has a file for each name, in which `validation/loss` cannot be the folder of
    `validation/loss/worst`.
    """
    group, slash, rest = column.partition("/")
    return _named(f"{group}{slash}{rest.replace('/', '.')}")


def _named(name: str) -> str:
    """A name with the characters that MLflow takes."""
    return re.sub(r"[^\w\-. /:]", "_", name, flags=re.ASCII)
