"""The model of a run, and what its inputs and outputs mean: taken from the run directory alone."""

import contextlib
import csv
import importlib
import json
import shutil
import sys
import zipfile

import numpy as np
import pytest
import tiny
from kept_runs import make_run

from fedcli.components.data import PREPROCESSORS
from fedcli.components.models.model_files import require_library
from fedcli.components.models.network import load_weights
from fedcli.core.errors import ConfigError, DataError, RunError
from fedcli.core.seeds import generator
from fedcli.experiment.plan import plan
from fedcli.runs import lifecycle, model_interface, round_choice
from fedcli.runs.exported_model import Which, export_model, metadata
from fedcli.runs.keras_model import keras_model
from fedcli.runs.model_interface import FittedStep, RawRows, read_interface, stored_statistics
from fedcli.runs.new_rows import NewRows, read_rows
from fedcli.runs.prediction import predict_rows, predicted, written_rows
from fedcli.runs.preprocessing_layers import with_preprocessing_layers
from fedcli.runs.raw_range import misfits
from fedcli.runs.run_directory import Run
from fedcli.runs.run_sources import read_source
from fedcli.runs.trust import trusting
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


def test_a_wrong_file_is_refused_before_tensorflow_is_loaded(trained, tmp_path):
    def before_tensorflow():
        raise AssertionError("TensorFlow is loaded.")

    with pytest.raises(DataError, match="there is no file"):
        predict_rows(trained.folder, tmp_path / "absent.csv", before_tensorflow=before_tensorflow)
    with pytest.raises(ConfigError, match="no known format"):
        export_model(trained.folder, tmp_path / "model.h5", before_tensorflow=before_tensorflow)


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
    with trusting():
        check_carried(folder, tmp_path)


def check_carried(folder, tmp_path):
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
    with pytest.raises(ConfigError, match="is not known as a run of your own"):
        read_source(folder)
    with trusting(), pytest.raises(ConfigError, match="there is no module own_stack"):
        read_source(folder)


# --- the Keras model -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def models(trained):
    """The model of each round, by its number: Keras takes long to build one."""
    return {round: keras_model(trained.folder, round) for round in (1, 2)}


@pytest.fixture(scope="module")
def test_set(trained):
    """The test rows, preprocessed as the run does."""
    return plan(read_source(trained.folder).experiment).world.federation.test


def accuracy(model, x, y):
    return np.mean(np.asarray(model(x)).argmax(axis=1) == y)


def test_the_model_of_each_round_gives_the_figures_of_the_run(trained, models, test_set):
    for record in trained.records:
        assert accuracy(models[record["round"]], *test_set) == pytest.approx(record["test/accuracy"])


def test_a_client_has_its_own_layers(trained, models):
    shared, own = models[2], keras_model(trained.folder, client=1)
    gamma, mine = (next(v for v in m.variables if "gamma" in v.path).numpy() for m in (shared, own))
    assert not np.array_equal(gamma, mine)
    kernel, its = (next(v for v in m.variables if "kernel" in v.path).numpy() for m in (shared, own))
    assert np.array_equal(kernel, its)
    with pytest.raises(
        ConfigError, match="client 9 has no model of its own after round 2; those that have: 0, 1"
    ):
        keras_model(trained.folder, client=9)


def test_weights_of_another_model_are_refused(models):
    with pytest.raises(ConfigError, match="is missing in the checkpoint"):
        load_weights(models[2], {})


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


# --- predictions -----------------------------------------------------------------------------------------


def test_raw_rows_of_a_table_are_predicted_as_the_test_set_is_measured(trained, models, test_set, tmp_path):
    """The columns are in another order, and one is not the model's: they are found by their names."""
    raw = list(csv.DictReader((trained.folder.parent / "fruit.csv").read_text().splitlines()))
    with (tmp_path / "new.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, ["acid", "note", "state", "colour", "weight"], restval="-")
        writer.writeheader()
        writer.writerows(raw)
    made = predict_rows(trained.folder, tmp_path / "new.csv", round=1)
    assert made.notes == ("Ignored the column 'note': the model was not trained on it.",)
    assert (len(made.rows), made.round, made.rows[0]["line"]) == (60, 1, 2)
    hits = [row["prediction"] == given["state"] for row, given in zip(made.rows, raw, strict=True)]
    assert made.agreement == ("accuracy", np.mean(hits))
    # The rows that somebody standardises by hand have that accuracy too; the raw ones have not.
    mine = np.array(
        [
            [float(row["weight"]), row["colour"] == "green", row["colour"] == "red", float(row["acid"])]
            for row in raw
        ],
        np.float32,
    )
    known = [["hard", "ripe"].index(row["state"]) for row in raw]
    sums = {
        name: each.array()
        for name, each in read_interface(trained.folder).preprocessing[0].statistics.items()
    }
    mean = sums["sum"] / sums["count"]
    deviation = np.sqrt(sums["sum_of_squares"] / sums["count"] - mean**2)
    assert accuracy(models[1], (mine - mean) / deviation, known) == np.mean(hits)
    assert accuracy(models[1], mine, known) < np.mean(hits) - 0.2
    # The test rows are among them, with the probabilities that the run measured them by.
    logits = np.asarray(models[1](test_set[0]), np.float64)
    shares = np.exp(logits[:, 0]) / np.exp(logits).sum(axis=1)
    found = np.array([row["probability/hard"] for row in made.rows])
    assert np.abs(shares[:, None] - found).min(axis=1).max() < 1e-6
    assert written_rows(made.rows).startswith(
        "line,prediction,probability,probability/hard,probability/ripe\n2,"
    )


def test_rows_are_predicted_in_python_with_notes_as_warnings(trained):
    raw = read_rows(trained.folder.parent / "fruit.csv", read_interface(trained.folder)).x
    with pytest.raises(DataError, match=r"an example of the array has the shape \[3\]; the run's have \[4\]"):
        Run(trained.folder).predict(raw[:, :3])
    with pytest.warns(UserWarning, match="the column 'weight' has values"):
        made = Run(trained.folder).predict(raw * np.float32([1000, 1, 1, 1]))
    assert (made.index.name, len(made)) == ("row", 60)
    assert list(made) == ["prediction", "probability", "probability/hard", "probability/ripe"]


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ("weight,acid\n1,2\n", "lacks the column 'colour', of which the run's model needs every one"),
        ("weight,colour,acids\n1,red,2\n", "Is 'acids' that column"),
        ("weight,colour,acid\n1,red,2\n1,blue,2\n", "Line 3 of .* has 'blue' in the column 'colour'"),
        (
            "weight,colour,acid\n1,red,sour\n",
            "Line 2 of .* has 'sour' in the column 'acid'; a number is expected",
        ),
        ("weight,colour,acid\n1,,2\n", "Line 2 of .* has no value in the column 'colour'"),
    ],
)
def test_a_table_without_what_the_model_needs_is_refused(trained, tmp_path, table, said):
    (tmp_path / "new.csv").write_text(table)
    with pytest.raises(DataError, match=said):
        read_rows(tmp_path / "new.csv", read_interface(trained.folder))


def interface(trained, **changes):
    return read_interface(trained.folder).model_copy(update=changes)


def test_a_column_that_the_model_needs_is_not_taken_for_a_missing_one(trained, tmp_path):
    weight = read_interface(trained.folder).columns[0]
    columns = [weight.model_copy(update={"name": name}) for name in ("mean radius", "worst radius")]
    (tmp_path / "new.csv").write_text("radius (mean),worst radius\n1,2\n")
    with pytest.raises(DataError, match="lacks the column 'mean radius'") as caught:
        read_rows(tmp_path / "new.csv", interface(trained, columns=columns))
    assert "Is 'worst radius' that column" not in str(caught.value)


def test_arrays_get_the_type_that_the_runs_own_rows_have(trained, tmp_path):
    images = interface(trained, columns=None, rows=RawRows(dtype="uint8", shape=(2, 3, 1)))
    np.savez(tmp_path / "new.npz", x=np.full((4, 2, 3), 255.0))
    x = read_rows(tmp_path / "new.npz", images).x
    assert (x.shape, x.dtype) == ((4, 2, 3, 1), np.uint8)
    for wrong, said in [
        (np.full((4, 2, 3), 0.5), "Give the raw values"),
        (np.zeros((4, 9)), "has the shape"),
    ]:
        np.savez(tmp_path / "new.npz", x=wrong)
        with pytest.raises(DataError, match=said):
            read_rows(tmp_path / "new.npz", images)


def test_a_folder_of_images_is_read_in_the_size_of_the_run(trained, tmp_path):
    from PIL import Image

    Image.new("RGB", (3, 2), (255, 255, 255)).save(tmp_path / "b.png")
    Image.new("L", (6, 4), 0).save(tmp_path / "a.png")
    images = interface(trained, columns=None, rows=RawRows(dtype="uint8", shape=(2, 3, 1)))
    found = read_rows(tmp_path, images)
    assert (found.names, found.x[:, 0, 0, 0].tolist()) == (["a.png", "b.png"], [0, 255])
    assert found.notes == ("Resized 1 of 2 images to 3x2, the size that the model takes.",)
    with pytest.raises(DataError, match="was not trained on images"):
        read_rows(tmp_path, interface(trained))


@pytest.mark.parametrize(
    ("step", "dtype", "largest", "said"),
    [
        (
            {"name": "scale", "parameters": {"factor": 1 / 16}},
            "uint8",
            255,
            "0 to 255; the run's data had 0 to 16",
        ),
        ({"name": "scale", "parameters": {"factor": 1 / 16}}, "uint8", 16, None),
        ({"name": "automatic", "parameters": {}}, "uint8", 16, "0 to 16; the run's data had 0 to 255"),
        ({"name": "automatic", "parameters": {}}, "uint8", 200, None),
        ({"name": "scale", "parameters": {"factor": 1 / 16}}, "float32", 255, None),
    ],
)
def test_images_on_another_scale_than_the_runs_are_named(trained, step, dtype, largest, said):
    steps = (FittedStep(**step, statistics={}),)
    digits = interface(trained, columns=None, rows=RawRows(dtype=dtype, shape=(2, 2, 1)), preprocessing=steps)
    found = list(misfits(np.array([0, 1, largest, 0], dtype).reshape(1, 2, 2, 1), digits))
    assert [f"Warning: the values are {said}. Give raw values on the same scale."] * bool(said) == found


def test_columns_that_were_standardised_before_are_named(trained):
    raw = read_rows(trained.folder.parent / "fruit.csv", read_interface(trained.folder)).x
    assert list(misfits(raw, read_interface(trained.folder))) == []
    weight, acid = misfits((raw - raw.mean(axis=0)) / raw.std(axis=0), read_interface(trained.folder))
    assert weight.startswith("Warning: the column 'weight' has values -1.")
    assert acid.startswith("Warning: the column 'acid' has values -")
    assert acid.endswith("Give raw rows, in the same units.")


def test_values_of_a_regression_are_in_their_own_units(trained):
    regression = interface(trained, task="regression", gives="values", classes=None, outputs=1)
    given = NewRows(np.zeros((2, 4)), "line", [2, 3], ["110", "190"])
    rows, agreement = predicted(np.array([[100.0], [200.0]]), given, regression)
    assert rows == [{"line": 2, "prediction": 100.0}, {"line": 3, "prediction": 200.0}]
    assert agreement == ("mean absolute error", 10.0)


def test_one_logit_is_that_of_the_second_class(trained):
    binary = interface(trained, outputs=1)
    rows, _ = predicted(np.array([[0.0], [-800.0]]), NewRows(np.zeros((2, 4)), "line", [2, 3]), binary)
    assert [row["probability/ripe"] for row in rows] == pytest.approx([0.5, 0.0])
    assert rows[1]["prediction"] == "hard"


# --- exports ---------------------------------------------------------------------------------------------


# Keras calls NumPy in a way that is going out of use.
@pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy keyword")
def test_an_exported_model_gives_the_same_predictions_and_says_what_it_is(
    trained, models, test_set, tmp_path
):
    import keras

    facts = export_model(trained.folder, tmp_path / "model.keras", Which("best"))
    loaded = keras.models.load_model(tmp_path / "model.keras", compile=False)
    assert np.array_equal(loaded(test_set[0]).numpy(), models[facts["round"]](test_set[0]).numpy())
    with zipfile.ZipFile(tmp_path / "model.keras") as archive:
        inside = json.loads(archive.read("fedcli.json"))
    assert inside == facts
    record = trained.records[facts["round"] - 1]
    assert inside["metrics"]["test/accuracy"] == record["test/accuracy"]
    assert inside["interface"] == json.loads((trained.folder / "model.json").read_text())
    assert "raw rows give wrong predictions" in inside["how_to_use"]
    assert inside["head"] == Run(trained.folder).head or facts["round"] != 2


def test_a_private_model_leaves_with_no_figures_of_clients_and_says_what_epsilon_covers(trained, tmp_path):
    run = make_run(tmp_path / "run", 1)
    row = {
        "round": 1,
        "test/loss": 0.5,
        "validation/loss": 0.25,
        "validation/loss/worst": 2.0,
        "epsilon": 3.0,
    }
    (run / "metrics.jsonl").write_text(json.dumps(row) + "\n")
    facts = metadata(run, Which(1), interface(trained), takes_raw=False)
    assert (facts["metrics"], facts["epsilon"]) == ({"test/loss": 0.5}, 3.0)
    assert facts["epsilon_covers"].startswith("The weights. The metrics")


def test_preprocessing_layers_do_what_the_steps_do(trained):
    import keras

    steps = {
        "standardise": ("float32", (3,), {}),
        "min_max": ("float32", (3,), {}),
        "automatic": ("uint8", (2, 2, 1), {}),
        "scale": ("float32", (3,), {"factor": 0.25}),
        "affine": ("float32", (3,), {"centre": (1.0, 2.0, 3.0), "divisor": 2.0}),
        "flatten": ("float32", (2, 2), {}),
    }
    for name, (dtype, shape, parameters) in steps.items():
        x = (generator(4, 0, 0, name).random((5, *shape)) * 200 + 5e4 * (dtype != "uint8")).astype(dtype)
        step = PREPROCESSORS[name](**parameters)
        fitted = step.fit(x)
        stored = FittedStep(name=name, parameters=parameters, statistics=stored_statistics(fitted))
        raw = interface(trained, rows=RawRows(dtype=dtype, shape=shape), preprocessing=(stored,))
        inner = keras.Sequential([keras.layers.Identity()])
        found = np.asarray(with_preprocessing_layers(inner, raw)(x.astype(np.float32)))
        assert found == pytest.approx(step.apply(x, fitted), rel=1e-4, abs=1e-4), name
    unknown = interface(trained, preprocessing=(stored.model_copy(update={"name": "own:step"}),))
    with pytest.raises(ConfigError, match="has no Keras layer that does the same"):
        with_preprocessing_layers(inner, unknown)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*tf.lite.Interpreter is deprecated")
@pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy keyword")
def test_other_formats_give_the_same_predictions(trained, models, test_set, tmp_path):
    import tensorflow as tf

    x = test_set[0]
    expected = np.asarray(models[2](x))
    export_model(trained.folder, tmp_path / "saved")
    assert np.asarray(tf.saved_model.load(str(tmp_path / "saved")).serve(x)) == pytest.approx(
        expected, abs=1e-5
    )
    assert (tmp_path / "saved" / "assets.extra" / "fedcli.json").exists()
    export_model(trained.folder, tmp_path / "model.tflite")
    reader = tf.lite.Interpreter(str(tmp_path / "model.tflite"))
    place = reader.get_input_details()[0]["index"]
    reader.resize_tensor_input(place, x.shape)
    reader.allocate_tensors()
    reader.set_tensor(place, x)
    reader.invoke()
    found = reader.get_tensor(reader.get_output_details()[0]["index"])
    assert found == pytest.approx(expected, abs=1e-5)


@pytest.mark.slow
def test_an_onnx_file_gives_the_same_predictions_and_says_what_it_is(trained, models, test_set, tmp_path):
    import onnx
    from onnx.reference import ReferenceEvaluator

    facts = export_model(trained.folder, tmp_path / "model.onnx")
    made = onnx.load(tmp_path / "model.onnx")
    (name,) = [each.name for each in made.graph.input]
    (found,) = ReferenceEvaluator(made).run(None, {name: test_set[0]})
    assert found == pytest.approx(np.asarray(models[2](test_set[0])), abs=1e-5)
    assert {each.key: json.loads(each.value) for each in made.metadata_props} == {"fedcli.json": facts}


@pytest.mark.parametrize(
    ("name", "format", "said"),
    [
        ("model.h5", None, "which is no known format"),
        ("model.bin", "keras", r"does not end in \.keras"),
        (".", None, "is a folder that exists"),
    ],
)
def test_a_file_that_cannot_be_written_is_refused(trained, tmp_path, name, format, said):
    with pytest.raises(ConfigError, match=said):
        export_model(trained.folder, tmp_path / name, format=format)


def test_a_format_whose_library_is_missing_is_refused_with_the_command(monkeypatch):
    monkeypatch.setattr(sys, "path", [])
    with pytest.raises(ConfigError, match="tf2onnx and onnx, not installed here") as caught:
        require_library("onnx")
    assert "the extra onnx of fedcli" in str(caught.value)
    require_library("keras")
