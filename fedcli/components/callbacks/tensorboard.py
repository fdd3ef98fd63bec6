"""TensorBoard: the curves of a run beside those of others."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence

from fedcli.components.callbacks.callback import Callback, Record, RunContext
from fedcli.components.callbacks.tracking import Tracker, metrics_of, parameters_of, tracking


def tensorboard() -> Callback:
    """Every figure of every round for TensorBoard, in the folder `tensorboard` of the run directory.

    The config is there as hyperparameters and as a text. `tensorboard --logdir runs` shows all runs. A resumed run
    writes its rounds again in a new file, and what it wrote before is marked as replaced.

    Needs `pip install 'fedcli[tensorboard]'`.
    """
    return tracking("tensorboard", _begin)


def _begin(run: RunContext, records: Sequence[Record]) -> Tracker:
    # Below `tf.summary`, which cannot mark steps as replaced.
    from tensorboard.compat.proto.event_pb2 import Event, SessionLog
    from tensorboard.compat.proto.summary_pb2 import Summary
    from tensorboard.plugins.hparams.summary_v2 import hparams_pb
    from tensorboard.plugins.text.summary_v2 import text_pb
    from tensorboard.summary.writer.event_file_writer import EventFileWriter

    writer = EventFileWriter(str(run.folder / "tensorboard"))

    def add(step: int, summary: Summary) -> None:
        writer.add_event(Event(wall_time=time.time(), step=step, summary=summary))

    def log(record: Record) -> None:
        # Not as tensors: of those, readers do not drop what was replaced.
        figures = [Summary.Value(tag=name, simple_value=value) for name, value in metrics_of(record).items()]
        add(record["round"], Summary(value=figures))
        # Whoever watches wants to see the round now, and not when a buffer is full.
        writer.flush()

    if records:
        # Readers drop what an earlier process wrote from this step on, so that no round is there twice.
        status = SessionLog(status=SessionLog.START)
        writer.add_event(Event(wall_time=time.time(), step=0, session_log=status))
    else:
        parameters = parameters_of(run.experiment)
        add(0, hparams_pb(parameters, trial_id=run.id))
        add(0, text_pb("config", f"```\n{json.dumps(parameters, indent=1)}\n```"))
    for record in records:
        log(record)
    return Tracker(log, writer.close)
