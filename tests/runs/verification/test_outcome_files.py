"""results.csv and summary.json are made again from the log."""

import json

import pytest
import tiny

from fedcli import config
from fedcli.runs.results_table import results_table
from fedcli.runs.summary import encode, read_summary, summary_of
from fedcli.runs.verification.outcome_files import checked_outcome
from fedcli.store import directory

EXPERIMENT = config.loads(tiny.YAML, "a config").experiment
RECORDS = [
    {"round": 1, "test/accuracy": 0.25, "test/loss": 2.0, "seconds/total": 0.1, "epsilon": 1.5},
    {
        "round": 2,
        "test/accuracy": 0.5,
        "test/loss": 1.0,
        "seconds/total": 0.2,
        "epsilon": 2.5,
        "note": 'a, "b"',
    },
]


@pytest.fixture
def run(tmp_path):
    log = "".join(json.dumps(each) + "\n" for each in RECORDS)
    (tmp_path / "metrics.jsonl").write_text(log)
    (tmp_path / "summary.json").write_bytes(encode(summary_of(EXPERIMENT, RECORDS, "all rounds", len(log))))
    (tmp_path / "results.csv").write_text(results_table(RECORDS, ["test/loss", "round"]))
    (tmp_path / "curves.png").touch()
    return tmp_path


def checked(run):
    """What fails, what is noted, and what was not checked."""
    findings = [*checked_outcome(run, EXPERIMENT)]
    return (
        [each.sentence for each in findings if not each.holds],
        [each.file for each in findings if each.sentence and each.holds and not each.unchecked],
        [each.unchecked for each in findings if each.unchecked],
    )


def edit(run, name, before, after):
    text = (run / name).read_text()
    assert before in text
    (run / name).write_text(text.replace(before, after))


def test_what_a_run_leaves_holds_and_its_picture_is_named(run):
    assert checked(run) == ([], ["curves.png"], [])


def test_rows_from_the_first_that_names_no_round_are_not_compared(run):
    edit(run, "metrics.jsonl", '"round": 2', '"roune": 2')
    summary, table = checked(run)[0]
    assert summary.startswith("summary.json does not say what follows")
    assert table.startswith("results.csv differs")


def test_a_summary_of_an_earlier_version_is_compared_in_its_form(run):
    size = (run / "metrics.jsonl").stat().st_size
    made = encode(summary_of(EXPERIMENT, RECORDS, "all rounds", size, [1, 2]), format=1)
    assert b"best_checkpoint" not in made
    (run / "summary.json").write_bytes(made)
    assert checked(run) == ([], ["curves.png"], [])
    assert read_summary(run).best_checkpoint is None
    edit(run, "summary.json", "0.5", "0.75")
    assert checked(run)[0]


def test_the_best_checkpoint_is_marked_and_checked(run):
    for name in ("round-00001", "round-00002"):
        (run / "checkpoints" / name).mkdir(parents=True)
    # That of round 2 was pruned.
    (run / "checkpoints/round-00001/weights.npz").touch()
    (run / "checkpoints/round-00001/state.npz").touch()
    (broken,) = checked(run)[0]
    assert broken.endswith("what follows from the config and the rounds: best_checkpoint, last_checkpoint.")
    size = (run / "metrics.jsonl").stat().st_size
    summary = summary_of(EXPERIMENT, RECORDS, "all rounds", size, directory.whole_rounds(run))
    assert (summary.best_checkpoint, summary.last_checkpoint) == (1, 1)
    (run / "summary.json").write_bytes(encode(summary))
    assert checked(run) == ([], ["curves.png"], [])


@pytest.mark.parametrize(
    ("name", "before", "after", "said"),
    [
        (
            "summary.json",
            '"best": 0.5',
            '"best": 0.9853',
            "does not say what follows from the config and the rounds: fig",
        ),
        ("summary.json", '"epsilon": 2.5', '"epsilon": 0.01', "does not say what follows from the config"),
        ("summary.json", '"format": 2', '"format": true', "does not say what follows from the config"),
        ("summary.json", "{", "[", "is not JSON"),
        ("summary.json", '"all rounds"', "1", "has an ending that is not text"),
        ("results.csv", "0.25", "0.95", "differs in line 2 from what is in metrics.jsonl."),
        ("results.csv", "round", "turn", "differs in line 1 from what is in metrics.jsonl."),
    ],
)
def test_a_figure_that_is_not_in_the_log_is_found(run, name, before, after, said):
    edit(run, name, before, after)
    (failure,), _, _ = checked(run)
    assert failure.startswith(f"{name} {said}")


def test_what_a_killed_run_left_behind_its_log_is_noted_and_not_called_right(run):
    with (run / "metrics.jsonl").open("a") as log:
        log.write('{"round": 3}\n')
    failures, notes, unchecked = checked(run)
    assert (failures, notes) == ([], ["summary.json", "curves.png"])
    assert unchecked == ["whether results.csv is right"]


def test_without_a_log_neither_is_called_right(run):
    (run / "metrics.jsonl").unlink()
    failures, notes, unchecked = checked(run)
    assert (failures, notes) == ([], ["summary.json", "curves.png"])
    assert unchecked == ["whether results.csv is right"]
