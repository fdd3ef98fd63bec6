"""Weights & Biases, offline: files that `wandb sync` sends later, if anybody wants that."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from fedcli.components.callbacks.callback import Callback, Record, RunContext
from fedcli.components.callbacks.tracking import Tracker, metrics_of, tracking
from fedcli.config import flat
from fedcli.core.rounds import RoundState


def wandb(*, project: str | None = None, folder: str = ".", model: bool = True) -> Callback:
    """Config, figures, curves and model of a run for Weights & Biases, as files that `wandb sync` can send.

    Nothing is sent: `wandb sync wandb/offline-run-*` does that. A resumed run adds a folder for the same W&B run. Needs
    `pip install 'fedcli[wandb]'`.

    Args:
        project: the project; by default the name of the experiment.
        folder: where W&B's own folder `wandb` is. It has links, so it cannot be in the run directory.
        model: whether the model at the end of the run is kept for it too, as model.keras.
    """
    return tracking(
        "wandb", lambda run, records: _begin(run, records, project, Path(folder), keeps_model=model)
    )


def _begin(
    run: RunContext, records: Sequence[Record], project: str | None, place: Path, *, keeps_model: bool
) -> Tracker:
    os.environ.setdefault("WANDB_ERROR_REPORTING", "false")
    import wandb as library

    # Of an earlier process: its own files are in a form that only W&B reads.
    note = place / "wandb" / f"fedcli-{run.id}.txt"
    last = int(note.read_text()) if note.exists() else 0
    note.parent.mkdir(parents=True, exist_ok=True)
    opened = library.init(
        project=project or run.experiment.name,
        name=run.folder.name,
        id=run.id,
        config=flat(run.experiment),
        dir=str(place),
        # It writes to the terminal, reads git, and samples the machine unless it is told not to.
        settings=library.Settings(
            mode="offline", silent=True, console="off", disable_git=True, x_disable_stats=True
        ),
    )

    def log(record: Record) -> None:
        nonlocal last
        # A round that is repeated has the same figures, and would be there twice.
        if record["round"] <= last:
            return
        opened.log(metrics_of(record), step=record["round"], commit=True)
        last = record["round"]
        note.write_text(f"{last}\n")

    def finish(run: RunContext, state: RoundState, records: Sequence[Record]) -> None:
        files = Path(opened.dir)
        picture = run.picture(records)
        if picture is not None:
            (files / "curves.png").write_bytes(picture)
            opened.save(str(files / "curves.png"), base_path=str(files), policy="end")
        if keeps_model:
            run.model(state).save(files / "model.keras")
            opened.save(str(files / "model.keras"), base_path=str(files), policy="end")

    for record in records:
        log(record)
    return Tracker(log, opened.finish, finish)
