"""What trackers write, read back by the tools' own readers; after a resume, no round is there twice."""

import math
from pathlib import Path

import numpy as np
import pytest
import tiny
from hooked import SAID, run_context

from fedcli.components.callbacks import CALLBACKS
from fedcli.components.callbacks.tracking import Tracker, metrics_of, parameters_of, tracking
from fedcli.core.rounds import RoundState

EMPTY = np.zeros(0, np.float32)
RECORDS = [
    {
        "round": i,
        "test/accuracy": 0.5 + i / 16,
        "test/accuracy/worst": 0.5,
        "epsilon": i / 4,
        "train/loss": math.nan,
        "note": "void",
    }
    for i in range(1, 5)
]
COURSE = [(i, 0.5 + i / 16) for i in range(1, 5)]
LIBRARIES = {"tensorboard": "tensorboard", "mlflow": "mlflow", "wandb": "wandb"}


class Model:
    """A model that can be saved."""

    def save(self, path):
        Path(path).write_bytes(b"weights")


@pytest.fixture
def run(tmp_path):
    SAID.clear()
    (tmp_path / "run").mkdir()
    return run_context(tmp_path / "run", tiny.source().experiment, model=lambda _state: Model())


def tracked(callback, run, *, after=0, rounds=4, ends=True):
    """The rounds of one process, which goes on after `after` rounds."""
    assert callback.on_start(run, RECORDS[:after]) is None
    for record in RECORDS[after:rounds]:
        assert callback.on_round_end(run, RoundState(record["round"], EMPTY, EMPTY, EMPTY), record) is None
    if ends:
        callback.on_end(run, RoundState(rounds, EMPTY, EMPTY, EMPTY), RECORDS[:rounds])
    callback.close()


def killed_and_resumed(name, run, **parameters):
    """Killed after round 3, with the last checkpoint after round 2."""
    tracked(CALLBACKS[name](**parameters), run, rounds=3, ends=False)
    tracked(CALLBACKS[name](**parameters), run, after=2)
    assert SAID == []


def test_tensorboard_reads_figures_and_config_and_no_round_twice(run):
    pytest.importorskip("tensorboard", reason="fedcli[tensorboard] is not installed")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    killed_and_resumed("tensorboard", run)
    read = EventAccumulator(str(run.folder / "tensorboard")).Reload()
    assert set(read.Tags()["scalars"]) == {"test/accuracy", "test/accuracy/worst", "epsilon"}
    # float32 has these sixteenths exactly.
    assert [(event.step, event.value) for event in read.Scalars("test/accuracy")] == COURSE
    (config,) = read.Tensors("config")
    assert b'"client.optimizer.learning_rate": 0.1' in config.tensor_proto.string_val[0]
    assert b"strategy.name" in read.SummaryMetadata("_hparams_/session_start_info").plugin_data.content


def test_mlflow_reads_parameters_figures_and_files_of_one_run(run, tmp_path):
    pytest.importorskip("mlflow", reason="fedcli[mlflow] is not installed")
    from mlflow import MlflowClient

    killed_and_resumed("mlflow", run, uri=str(tmp_path / "store"))
    client = MlflowClient((tmp_path / "store").as_uri())
    place = client.get_experiment_by_name("tiny").experiment_id
    (found,) = client.search_runs([place])
    assert (found.info.status, found.info.run_name) == ("FINISHED", "run")
    assert found.data.params["client.optimizer.learning_rate"] == "0.1"
    history = client.get_metric_history(found.info.run_id, "test/accuracy")
    assert sorted((each.step, each.value) for each in history) == COURSE
    # A store in a folder has a file for each name, so that none may be the folder of another.
    assert found.data.metrics.keys() == {"test/accuracy", "test/accuracy.worst", "epsilon"}
    worst = client.get_metric_history(found.info.run_id, "test/accuracy.worst")
    assert sorted(each.step for each in worst) == [1, 2, 3, 4]
    assert found.data.metrics["epsilon"] == 1.0
    assert "train/loss" not in found.data.metrics
    files = {each.path for each in client.list_artifacts(found.info.run_id)}
    assert files == {"curves.png", "model.keras"}


def test_an_mlflow_run_that_was_stopped_is_not_called_finished(run, tmp_path):
    pytest.importorskip("mlflow", reason="fedcli[mlflow] is not installed")
    from mlflow import MlflowClient

    tracked(CALLBACKS["mlflow"](uri=str(tmp_path / "store"), experiment="mine"), run, rounds=1, ends=False)
    client = MlflowClient((tmp_path / "store").as_uri())
    (found,) = client.search_runs([client.get_experiment_by_name("mine").experiment_id])
    assert found.info.status == "KILLED"


@pytest.mark.slow
def test_wandb_reads_config_figures_and_files_of_one_run(run):
    pytest.importorskip("wandb", reason="fedcli[wandb] is not installed")
    from wandb.proto.wandb_internal_pb2 import Record
    from wandb.sdk.internal.datastore import DataStore

    killed_and_resumed("wandb", run, folder=str(run.folder.parent))
    history, ids, config, files = [], set(), {}, set()
    for path in sorted(run.folder.parent.glob("wandb/offline-run-*/*.wandb")):
        store = DataStore()
        store.open_for_scan(str(path))
        while content := store.scan_data():
            record = Record.FromString(content)
            ids |= {record.run.run_id} - {""}
            config |= {item.key: item.value_json for item in record.run.config.update}
            files |= {item.path for item in record.files.files}
            if record.history.item:
                row = {"/".join(item.nested_key) or item.key: item.value_json for item in record.history.item}
                history.append((int(row["_step"]), float(row["test/accuracy"])))
        store.close()
    assert history == COURSE
    assert ids == {run.id}
    assert '"learning_rate":0.1' in config["client"].replace(" ", "")
    assert {"curves.png", "model.keras"} <= files


@pytest.mark.parametrize("moment", ["begin", "log", "finish", "close"])
def test_a_tracker_that_fails_is_said_once_and_the_run_goes_on(run, moment):
    calls = []

    def act(name):
        def call(*_):
            calls.append(name)
            if name == moment:
                raise OSError("the disk is full\nand much more")

        return call

    def begin(*_):
        act("begin")()
        return Tracker(act("log"), act("close"), act("finish"))

    tracked(tracking("mine", begin), run, rounds=2)
    whole = ["begin", "log", "log", "finish", "close"]
    # It is closed at once, and hears nothing more.
    expected = (
        whole
        if moment == "close"
        else [*whole[: whole.index(moment) + 1], *(["close"] * (moment != "begin"))]
    )
    assert calls == expected
    assert SAID == [
        "mine failed and gets nothing more of this run (OSError: the disk is full). The run goes on."
    ]


def test_a_library_that_is_missing_is_said_with_the_command(run):
    def begin(*_):
        raise ModuleNotFoundError("No module named 'mlflow'", name="mlflow")

    tracked(tracking("mlflow", begin), run)
    assert SAID == [
        "mlflow is not installed, so nothing is passed on to it. Install it with: pip install 'fedcli[mlflow]'"
    ]


def test_parameters_are_the_dotted_keys_of_the_config_and_figures_are_finite_numbers():
    said = parameters_of(tiny.source("callbacks=[{name: tensorboard}]").experiment)
    assert said["client.optimizer.name"] == "sgd"
    assert said["callbacks.0.name"] == "tensorboard"
    assert all(isinstance(value, str | int | float | bool) for value in said.values())
    assert "devices" not in said
    assert metrics_of(RECORDS[0]) == {"test/accuracy": 0.5625, "test/accuracy/worst": 0.5, "epsilon": 0.25}
