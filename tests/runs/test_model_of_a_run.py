"""The model of a run, and what its inputs and outputs mean: taken from the run directory alone."""

import contextlib
import importlib
import json
import shutil
import sys

import numpy as np
import pytest
import tiny

from fedcli.components.models.network import load_weights
from fedcli.core.errors import ConfigError, RunError
from fedcli.core.seeds import generator
from fedcli.runs import lifecycle, model_interface, round_choice
from fedcli.runs.keras_model import keras_model
from fedcli.runs.run_sources import read_source
from fedcli.runs.verification import verify_run

OVERRIDES = (
    "model.batchnorm=true",
    "model.non_trainable=local",
    "strategy=fedbn",
    "evaluation.clients=true",
    "data.partition.clients=2",
    "data.validation_fraction=0.3",
)


def write_table(path, rows=60):
    """Raw rows of very different scales: without their preprocessing a model says nothing about them."""
    rng = generator(2, 0, 0, "table")
    is_ripe = rng.random(rows) < 0.5
    weight = 1000 + 300 * is_ripe + rng.normal(0, 50, rows)
    acid = 0.02 - 0.01 * is_ripe + rng.normal(0, 0.002, rows)
    lines = ["weight,colour,acid,state"]
    for i in range(rows):
        colour = ("red" if rng.random() < 0.8 else "green") if is_ripe[i] else "green"
        lines.append(f"{weight[i]:.2f},{colour},{acid[i]:.5f},{'ripe' if is_ripe[i] else 'hard'}")
    path.write_text("\n".join(lines) + "\n")


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A run of two rounds on a table, with BatchNorm that stays with each client."""
    place = tmp_path_factory.mktemp("table")
    write_table(place / "fruit.csv")
    (place / "own_stack.py").write_text("from user_parts import stack as fruit_model\n")
    text = tiny.YAML.replace("name: user_parts:blobs", "name: csv\n  path: fruit.csv\n  target: state")
    text = text.replace("user_parts:stack", "own_stack:fruit_model")
    with pytest.MonkeyPatch.context() as patch, contextlib.chdir(place):
        patch.syspath_prepend(place)
        result = lifecycle.start_run(tiny.source(*OVERRIDES, text=text), place / "run")
    forget()
    return result


def forget():
    """As in a new process, which has not imported the user's module."""
    sys.modules.pop("own_stack", None)
    importlib.invalidate_caches()


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path, monkeypatch):
    """Every test is in another folder than the one in which the run began."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    forget()


def copied(run, tmp_path):
    return shutil.copytree(run.folder, tmp_path / "copy")


def failed(folder):
    return [each.sentence for each in verify_run(folder).findings if not each.holds]


# --- model.json ------------------------------------------------------------------------------------------


def test_a_run_says_what_goes_into_its_model_and_what_comes_out(trained):
    said = json.loads((trained.folder / "model.json").read_text())
    assert said["columns"] == [
        {"name": "weight", "categories": None},
        {"name": "colour", "categories": ["green", "red"]},
        {"name": "acid", "categories": None},
    ]
    assert (said["task"], said["target"], said["classes"]) == ("classification", "state", ["hard", "ripe"])
    assert (said["input_shape"], said["outputs"], said["gives"]) == ([4], 2, "logits")
    assert said["rows"] == {"dtype": "float32", "shape": [4]}
    (step,) = said["preprocessing"]
    assert step["name"] == "standardise"
    mean = step["statistics"]["sum"]["values"][0] / step["statistics"]["count"]["values"][0]
    assert 1000 < mean < 1300


def test_the_file_is_bound_by_the_chain_and_checked(trained, tmp_path):
    assert failed(trained.folder) == []
    folder = copied(trained, tmp_path)
    path = folder / "model.json"
    path.write_bytes(path.read_bytes().replace(b'"green"', b'"white"'))
    assert [each for each in failed(folder) if "model.json is not the file that the run wrote" in each]
    for use in (model_interface.read_interface, lifecycle.resume_run):
        with pytest.raises(RunError, match=r"model\.json is not the file that the run wrote"):
            use(folder)
    path.unlink()
    with pytest.raises(RunError, match=r"model\.json is missing"):
        model_interface.read_interface(folder)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"format": 2}, "format"),
        ({"outputs": 0}, "outputs"),
        ({"stranger": 1}, "stranger"),
        ({"input_shape": [1.0]}, "input_shape"),
        ({"preprocessing": [{"name": "a", "parameters": {}, "statistics": {"sum": {"dtype": "float64",
                             "shape": [3], "values": [1.0]}}}]}, "the shape does not fit"),
    ],
)  # fmt: skip
def test_another_form_is_refused(trained, change, said):
    values = json.loads((trained.folder / "model.json").read_text())
    content = (json.dumps({**values, **change}, indent=1) + "\n").encode()
    with pytest.raises(ValueError, match=said):
        model_interface.decode(content)


# --- from any folder -------------------------------------------------------------------------------------


def test_a_run_of_a_relative_table_and_an_own_module_is_used_from_any_folder(trained, tmp_path):
    facts = lifecycle.evaluate_run(trained.folder)
    assert facts["accuracy"] == trained.records[-1]["test/accuracy"]
    assert lifecycle.resume_run(trained.folder).ending == trained.ending
    source = read_source(trained.folder)
    assert source.experiment.data.part.parameters["path"] == str(trained.folder.parent / "fruit.csv")
    assert "fruit.csv" not in str(list(tmp_path.iterdir()))
    # What the chain binds keeps the path as it was given.
    assert "path: fruit.csv" in (trained.folder / "config.yaml").read_text()


def test_a_module_of_that_name_in_another_folder_is_not_taken_for_the_runs(trained, tmp_path, monkeypatch):
    (tmp_path / "own_stack.py").write_text("raise RuntimeError('another one')\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert read_source(trained.folder).experiment.model.part.name == "own_stack:fruit_model"
    forget()
    sys.modules["own_stack"] = sys.modules[__name__]
    with pytest.raises(ConfigError, match="this process has imported another of that name"):
        read_source(trained.folder)


def test_data_that_were_carried_along_are_found_at_the_given_path(trained, tmp_path):
    folder = copied(trained, tmp_path)
    environment = json.loads((folder / "environment.json").read_text())
    environment["sources"]["data"] = "/nowhere/fruit.csv"
    (folder / "environment.json").write_text(json.dumps(environment, indent=1) + "\n")
    assert read_source(folder).experiment.data.part.parameters["path"] == "/nowhere/fruit.csv"
    (tmp_path / "fruit.csv").touch()
    assert read_source(folder).experiment.data.part.parameters["path"] == "fruit.csv"
    override = ["data.path=other.csv"]
    assert read_source(folder, overrides=override).experiment.data.part.parameters["path"] == "other.csv"


def test_a_module_that_lies_in_the_run_directory_is_not_imported(trained, tmp_path):
    folder = copied(trained, tmp_path)
    (folder / "own_stack.py").write_text("raise RuntimeError('it ran')\n")
    environment = json.loads((folder / "environment.json").read_text())
    environment["sources"]["modules"]["own_stack"] = str(folder / "own_stack.py")
    (folder / "environment.json").write_text(json.dumps(environment, indent=1) + "\n")
    with pytest.raises(ConfigError, match="there is no module own_stack"):
        read_source(folder)


# --- the Keras model -------------------------------------------------------------------------------------


def accuracy(model, trained):
    """Of the test rows, preprocessed as the run does."""
    x, y = trained_test_set(trained)
    return np.mean(model.predict(x, verbose=0).argmax(axis=1) == y)


def trained_test_set(trained):
    from fedcli.experiment.plan import plan

    return plan(read_source(trained.folder).experiment).world.federation.test


def test_the_model_of_each_round_gives_the_figures_of_the_run(trained):
    for record in trained.records:
        model = keras_model(trained.folder, record["round"])
        assert accuracy(model, trained) == pytest.approx(record["test/accuracy"])


def test_a_client_has_its_own_layers(trained):
    shared, own = keras_model(trained.folder), keras_model(trained.folder, client=1)
    gamma, mine = (next(v for v in m.variables if "gamma" in v.path).numpy() for m in (shared, own))
    assert not np.array_equal(gamma, mine)
    kernel, its = (next(v for v in m.variables if "kernel" in v.path).numpy() for m in (shared, own))
    assert np.array_equal(kernel, its)
    with pytest.raises(
        ConfigError, match="client 9 has no model of its own after round 2; those that have: 0, 1"
    ):
        keras_model(trained.folder, client=9)


def test_weights_of_another_model_are_refused(trained):
    with pytest.raises(ConfigError, match="is missing in the checkpoint"):
        load_weights(keras_model(trained.folder), {})


# --- which round -----------------------------------------------------------------------------------------


def test_the_best_round_is_that_of_the_headline(trained, tmp_path):
    values = [record["test/accuracy"] for record in trained.records]
    best = 1 + values.index(max(values))
    assert round_choice.chosen_round(trained.folder, "best") == best
    assert round_choice.chosen_round(trained.folder, "last") == 2
    assert round_choice.chosen_round(trained.folder, 1) == 1
    with pytest.raises(ConfigError, match="no checkpoint of round 7"):
        round_choice.chosen_round(trained.folder, 7)
    folder = copied(trained, tmp_path)
    for name in ("weights.npz", "state.npz"):
        (folder / "checkpoints" / f"round-{best:05d}" / name).unlink()
    with pytest.raises(ConfigError, match=f"of round {best}, of which the checkpoint was pruned") as caught:
        round_choice.chosen_round(folder, "best")
    assert f"use --round {3 - best}" in str(caught.value)
