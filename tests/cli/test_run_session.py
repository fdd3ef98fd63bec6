"""`run`, `run --resume` and `evaluate` as a real process does them, on a real tiny run."""

import json
import os
import re
import subprocess
import sys
import zipfile

import numpy as np
import pytest
import yaml

from fedcli.runs.run_directory import Run
from fedcli.runs.verification import verify_run

JSON = ["run --json", "run --set", "resume --json", "evaluate --json", "evaluate --round", "evaluate clients",
        "evaluate the average", "evaluate the best", "evaluate the diverged", "early stop",
        "evaluate with scores", "predict", "extended, and resumed"]  # fmt: skip
REFUSED = [
    "run again",
    "resume a folder",
    "resume nothing",
    "evaluate an absent round",
    "evaluate an absent average",
    "evaluate a folder",
    "evaluate no round",
    "predict without a file",
    "export to an unknown format",
    "extend a new run",
    "extend a private run",
    "bad loss",
    "check a metric",
    "run into a file",
]


@pytest.fixture
def ended(session):
    return session.commands


def facts(ended, name):
    def refuse(constant):
        raise AssertionError(f"{constant} is not JSON")

    return json.loads(ended[name].stdout, parse_constant=refuse)


def metrics(session, run):
    return [json.loads(line) for line in (session.folder / run / "metrics.jsonl").read_text().splitlines()]


def without_times(record):
    return {name: value for name, value in record.items() if not name.startswith("seconds/")}


def files_before(ended, name):
    """The files as the command before left them."""
    names = list(ended)
    return ended[names[names.index(name) - 1]].files


def test_every_command_ended_with_its_code(ended):
    codes = {name: command.code for name, command in ended.items()}
    expected = (
        dict.fromkeys(codes, 0)
        | dict.fromkeys(REFUSED, 2)
        | {
            "a callback that fails": 1,
            "a callback that removes the run": 1,
            "extend, and fail": 1,
            "diverged": 1,
        }
    )
    assert codes == expected


@pytest.mark.parametrize("name", JSON)
def test_json_stands_alone_on_stdout(ended, name):
    assert isinstance(facts(ended, name), dict)


@pytest.mark.parametrize("name", REFUSED)
def test_a_refusal_speaks_on_stderr_only_and_writes_nothing(ended, name):
    assert ended[name].stdout == ""
    assert ended[name].stderr.strip()
    assert "Traceback" not in ended[name].stderr
    assert ended[name].files == files_before(ended, name)


def test_a_run_prints_plain_lines_when_piped(ended):
    assert ended["run"].stderr == ""
    lines = ended["run"].stdout.splitlines()
    assert lines[0] == "tiny: weighted over 3 clients, logistic on digits, 2 rounds"
    assert lines[1] == "in runs/one"
    assert [line.split("  ")[0] for line in lines[2:4]] == ["round 1/2", "round 2/2"]
    assert lines[4] == "Done: all 2 rounds are done."
    assert re.fullmatch("Next: fedcli (report|plot) runs/one", lines[-1])
    assert not any("\x1b" in command.stdout + command.stderr for command in ended.values())


def test_json_of_a_run_is_its_last_record_and_progress_goes_to_stderr(session, ended):
    made = facts(ended, "run --json")
    assert {"run": "runs/two", "rounds": 2, "ending": "all 2 rounds are done"}.items() <= made.items()
    assert metrics(session, "runs/two")[-1].items() <= made.items()
    assert ended["run --json"].stderr.splitlines()[2].startswith("round 1/2  test/accuracy ")


def test_a_record_has_the_promised_names(session):
    names = {"round", "test/loss", "test/accuracy", "validation/accuracy", "train/loss", "clients/planned",
             "clients/finished", "clients/rejected", "examples", "bytes_up", "bytes_down", "seconds/train",
             "seconds/aggregate", "seconds/evaluate", "seconds/total"}  # fmt: skip
    for record in metrics(session, "runs/one"):
        assert names <= record.keys()


def test_the_same_config_gives_the_same_records_times_aside(session):
    one, two = ([without_times(row) for row in metrics(session, run)] for run in ("runs/one", "runs/two"))
    assert one == two


def test_overrides_reach_the_run_and_its_kept_config(session, ended):
    assert facts(ended, "run --set")["rounds"] == 1
    kept = yaml.safe_load((session.folder / "runs/long/config.yaml").read_text())
    assert (kept["rounds"], kept["seed"]) == (1, 8)
    assert metrics(session, "runs/long")[0]["test/loss"] != metrics(session, "runs/one")[0]["test/loss"]


def test_without_a_run_dir_it_is_named_after_experiment_and_time(session, ended):
    (folder,) = (session.folder / "runs").glob("by-itself-*")
    assert re.fullmatch(r"by-itself-\d{8}T\d{6}Z", folder.name)
    assert f"runs/{folder.name}" in ended["run, named by itself"].stdout


def test_a_run_dir_that_exists_is_refused_with_the_way_out(ended):
    assert ended["run again"].stderr == (
        "the run directory runs/one exists.\nChoose another with --run-dir, or --resume it.\n"
    )


def test_a_finished_run_resumes_to_its_end_and_changes_nothing(session, ended):
    assert "resumed after round 2" in ended["resume"].stdout
    assert "Done: all 2 rounds are done." in ended["resume"].stdout
    assert ended["resume"].files == files_before(ended, "resume")
    assert without_times(facts(ended, "resume --json")) == {
        **without_times(facts(ended, "run --json")),
        "run": "runs/one",
        # The chain binds the logs, which hold times.
        "head": facts(ended, "resume --json")["head"],
    }


@pytest.mark.parametrize("name", ["resume a folder", "resume nothing", "evaluate a folder"])
def test_what_is_no_run_directory_is_said_to_be_none(ended, name):
    assert "is not a run directory" in ended[name].stderr


def test_the_kept_config_shows_as_itself(session, fedcli):
    shown = fedcli("show", session.folder / "runs/one")
    kept = (session.folder / "runs/one/config.yaml").read_text()
    assert shown.exit_code == 0
    # Only the strategy is written out, and what stands behind it are comments.
    names, written = ({**yaml.safe_load(text)} for text in (kept, shown.stdout))
    assert names.pop("strategy") == {"name": "weighted", "server_learning_rate": 1.0}
    assert written.pop("strategy")["weighting"] == "examples"
    assert written == names
    config, explained = shown.stdout.split("\n\n")
    assert "#" not in config
    assert all(line.startswith("#") for line in explained.splitlines())


def test_evaluate_gives_what_the_run_recorded(session, ended):
    record = metrics(session, "runs/one")[-1]
    made = facts(ended, "evaluate --json")
    classes, confusion = made.pop("classes"), np.array(made.pop("confusion"))
    assert {made.pop(name) > 0 for name in ("macro_f1", "macro_auc")} == {True}
    assert made.pop("worst_class_accuracy") == min(row["accuracy"] for row in classes)
    assert confusion.sum(axis=1).tolist() == [row["examples"] for row in classes]
    assert confusion.trace() / confusion.sum() == pytest.approx(record["test/accuracy"])
    assert made == {
        "run": "runs/one",
        "round": 2,
        "data": "test",
        "examples": 359,
        "loss": record["test/loss"],
        "accuracy": record["test/accuracy"],
    }


def test_evaluate_gives_the_figures_of_the_average(session, ended):
    record = metrics(session, "runs/average")[-1]
    made = facts(ended, "evaluate the average")
    assert (made["model"], made["loss"]) == ("average", record["average/test/loss"])
    assert made["loss"] != record["test/loss"]
    assert "has no average of the model" in ended["evaluate an absent average"].stderr


def test_evaluate_can_go_back_to_the_model_before_the_first_round(ended):
    made = facts(ended, "evaluate --round")
    assert made["round"] == 0
    assert made["loss"] != facts(ended, "evaluate --json")["loss"]


def test_evaluate_on_clients_gives_each_and_the_spread(session, ended):
    made, record = facts(ended, "evaluate clients"), metrics(session, "runs/one")[-1]
    assert [row["client"] for row in made["clients"]] == [0, 1, 2]
    assert made["accuracy"] == record["validation/accuracy"]
    assert made["accuracy/worst"] == min(row["accuracy"] for row in made["clients"])
    assert made["loss/worst"] == max(row["loss"] for row in made["clients"])
    assert "validation/accuracy/worst" in ended["evaluate clients as text"].stdout
    worst_first = sorted(made["clients"], key=lambda row: row["accuracy"])
    for command, pattern in (("as text", r"^ +(\d) +\d+ +\S+ +\S+ *$"), ("as csv", r"^(\d),")):
        shown = re.findall(pattern, ended[f"evaluate clients {command}"].stdout, re.MULTILINE)
        assert shown == [str(row["client"]) for row in worst_first]


def test_metrics_of_the_whole_test_set_are_written_each_round(session, ended):
    (record,), made = metrics(session, "runs/long"), facts(ended, "evaluate with scores")
    for name in ("macro_f1", "macro_auc", "worst_class_accuracy", "top_2_accuracy"):
        assert record[f"test/{name}"] == made[name]
    assert record["test/top_2_accuracy"] > record["test/accuracy"]
    assert "train/top_2_accuracy" in record
    assert "train/macro_f1" not in record


def test_check_refuses_a_metric_that_run_refuses(ended):
    refused = ended["check a metric"]
    assert (refused.code, refused.stdout) == (2, "")
    assert "'f1' is not a metric" in refused.stderr
    assert "Did you mean macro_f1?" in refused.stderr


def test_an_absent_round_is_met_with_those_that_are_there(ended):
    assert "no checkpoint of round 9; the last ones are 0, 1, 2." in ended["evaluate an absent round"].stderr


def test_a_loss_that_only_keras_can_refuse_has_its_place_in_the_error(ended):
    first, *rest = ended["bad loss"].stderr.splitlines()
    assert first == "override task.loss=no_such_loss  task.loss = 'no_such_loss'"
    assert "Keras has no loss named" in rest[0]
    assert rest[1].strip().startswith("Use a name such as")


def test_a_round_in_which_all_clients_diverged_ends_the_run_and_says_how_to_go_on(session, ended):
    told = " ".join(ended["diverged"].stderr.split())
    assert "the updates of all 3 clients have NaN or infinite values" in told
    assert "learning rate of the clients is too large" in told
    assert "The last checkpoint is of round 0." in told
    assert "fedcli run --resume runs/nan" in told
    assert ended["diverged"].stdout == ""
    assert metrics(session, "runs/nan") == []
    assert facts(ended, "evaluate the diverged")["round"] == 0


def test_an_early_stop_is_a_normal_end_and_is_said(ended):
    assert facts(ended, "early stop")["rounds"] == 2
    assert facts(ended, "early stop")["ending"] == "round has not improved on 1 for 1 evaluations"


def test_a_spent_budget_is_a_normal_end_and_is_said(session, ended):
    assert "Done: the privacy budget is spent: one more round would make epsilon" in ended["private"].stdout
    statement = json.loads((session.folder / "runs/private/privacy.json").read_text())
    records = metrics(session, "runs/private")
    assert 0 < len(records) < 9
    assert statement["events"][0]["count"] == len(records)
    assert records[-1]["epsilon"] == statement["epsilon"] <= 0.6
    assert [row["epsilon"] for row in records] == sorted({row["epsilon"] for row in records})


def test_real_runs_hold_and_their_last_lines_have_the_head(session, fedcli):
    for run in ("runs/one", "runs/average", "runs/private", "runs/stopped", "runs/nan"):
        result = fedcli("verify", session.folder / run, "--json")
        assert result.exit_code == 0, result.stdout
    head = verify_run(session.folder / "runs/one").head
    assert f"  head           {head}" in session.commands["run"].stdout.splitlines()
    assert json.loads(session.commands["resume --json"].stdout)["head"] == head


def test_a_component_that_fails_is_told_by_its_line_and_with_the_way_back(session, ended):
    said = ended["a callback that fails"]
    assert said.stderr.splitlines() == [
        "round 1: on_round_end(run, state, record) of the callback own:falling failed: KeyError: 'test/f2'",
        '  own.py:9, in on_round_end: return record["test/f2"]',
        "The run is in runs/my own. Mend the component, then go on with: fedcli run --resume 'runs/my own'",
        "--traceback prints all of it.",
    ]
    # The round was committed before the callback heard of it.
    assert len(metrics(session, "runs/my own")) == 1


def test_a_run_whose_folder_is_removed_ends_with_a_sentence(session, ended):
    said, gone = ended["a callback that removes the run"], session.folder / "runs/gone"
    assert said.stderr.splitlines() == [
        f"{gone} was removed or renamed while its run went on; the last checkpoint in it was of round 1.",
        "If it was renamed, go on with: fedcli run --resume ITS-NEW-NAME",
    ]
    assert "Done" not in said.stdout
    assert not gone.exists()


def test_a_run_stays_in_its_folder_when_a_callback_goes_to_another(ended):
    assert facts(ended, "early stop")["run"].endswith("runs/stopped")
    for name in ("checkpoints/round-00002/manifest.json", "results.csv", "summary.json"):
        assert f"runs/stopped/{name}" in ended["early stop"].files


def test_new_rows_are_predicted_with_the_runs_own_preprocessing(session, ended):
    """The rows of the file are raw; the model takes values that were divided by 16."""
    assert facts(ended, "predict")["rows"] == 2
    weights = Run(session.folder / "runs/one").weights()
    kernel, bias = (
        next(value for name, value in weights.items() if end in name) for end in ("kernel", "bias")
    )
    with np.load(session.folder / "rows.npz") as rows:
        logits = rows["x"].reshape(2, 64) / 16 @ kernel + bias
    shares = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    header, *lines = (session.folder / "predictions.csv").read_text().splitlines()
    assert header == ",".join(
        ["row,prediction,probability", *(f"probability/{digit}" for digit in range(10))]
    )
    for line, row in zip(lines, shares, strict=True):
        _, predicted, _, *cells = map(float, line.split(","))
        assert predicted == row.argmax()
        assert cells == pytest.approx(row.tolist(), abs=1e-6)


# Each as a process of its own, of which the last line says whether it has loaded TensorFlow.
ALONE = """
import sys
from fedcli.cli import main

try:
    main()
except SystemExit as end:
    print(end.code, "tensorflow" in sys.modules)
"""


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["run", "tiny.yaml", "data={name: csv, path: absent.csv, target: y, partition: {name: iid, clients: 2}}"],
         "absent.csv"),
        (["audit", "tiny.yaml"], "no privacy guarantee to audit"),
        (["predict", "runs/one", "absent.csv"], "there is no file"),
        (["export", "runs/one", "-o", "model.h5"], "no known format"),
        (["evaluate", "runs/one", "--round", "9"], "round 9"),
        (["evaluate", "runs/one", "--round", "first"], "'first' is no round"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_before_tensorflow_is_loaded(session, arguments, said):
    done = subprocess.run(
        [sys.executable, "-c", ALONE, *arguments],
        cwd=session.folder, env={**os.environ, "COLUMNS": "120"}, capture_output=True, text=True, timeout=600,
    )  # fmt: skip
    assert done.stdout.split() == ["2", "False"]
    assert said in done.stderr


def test_an_exported_model_is_a_file_of_keras_that_says_what_it_is(session, ended):
    with zipfile.ZipFile(session.folder / "raw.keras") as archive:
        inside = json.loads(archive.read("fedcli.json"))
        assert {"config.json", "model.weights.h5"} <= {*archive.namelist()}
    assert (inside["round"], inside["input"]) == (2, "raw rows")
    assert inside["head"] == Run(session.folder / "runs/one").head
    assert "fedcli.json within the file" in ended["export"].stdout


def test_the_best_round_is_evaluated_by_that_name(session, ended):
    made, records = facts(ended, "evaluate the best"), metrics(session, "runs/one")
    assert made["accuracy"] == max(record["test/accuracy"] for record in records)
    assert "'first' is no round" in ended["evaluate no round"].stderr


def test_an_extended_run_survives_a_failure_and_has_the_bits_of_a_longer_one(session, ended):
    (folder,) = (session.folder / "runs").glob("by-itself-*")
    assert "only this once" in ended["extend, and fail"].stderr
    assert "round 2/3" in ended["extend, and fail"].stdout
    # The round that the failure came after is in the chain with the number of rounds, which `--resume` then knows.
    made = facts(ended, "extended, and resumed")
    assert (made["rounds"], made["ending"]) == (3, "all 3 rounds are done")
    assert yaml.safe_load((folder / "config.yaml").read_text())["rounds"] == 1
    planned_so = Run(session.folder / "runs/one")
    for name, value in Run(folder).weights(2).items():
        assert value.tobytes() == planned_so.weights(2)[name].tobytes()
    records = [without_times(record) for record in metrics(session, folder.relative_to(session.folder))]
    assert records[:2] == [without_times(record) for record in planned_so.records]
    assert "the run was extended from 1 to 3 rounds before the checkpoint of round 2" in str(
        ended["verify the extended"].stdout
    )


def test_a_run_that_cannot_go_on_is_not_extended(session, ended):
    assert "--extend ROUNDS goes with --resume RUN" in " ".join(ended["extend a new run"].stderr.split())
    assert "epsilon would be larger than what was promised" in ended["extend a private run"].stderr
    # An early stop holds, so that the run is as it was.
    assert "No round was added: round has not improved" in ended["extend what stops"].stdout
    assert verify_run(session.folder / "runs/stopped").holds
