"""`fedcli compare`."""

import json

import pytest
from kept_runs import CONFIG, make_run
from typer.testing import CliRunner

from fedcli.cli.app import app


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    root = tmp_path_factory.mktemp("compared")
    return [
        str(
            make_run(root / f"run-{rounds}", rounds, config=CONFIG.replace("4", str(rounds)), run=str(rounds))
        )
        for rounds in (2, 4)
    ]


def said(*arguments):
    result = CliRunner().invoke(app, ["compare", *arguments])
    assert result.exit_code == 0, result.output
    return result.stdout


def test_it_prints_what_differs_and_then_the_figures(folders):
    keys, figures = said(*folders).split("\n\n")
    assert [line.split() for line in keys.splitlines()] == [["run-2", "run-4"], ["rounds", "2", "4"]]
    lines = figures.splitlines()
    assert lines[0] == "test/loss, +- over runs:"
    assert lines[2].split() == ["rounds=2", "1", "0.5", "0.5"]
    assert lines[3].split() == ["rounds=4", "1", "0.25", "0.25", "-0.2500", "1", "of", "1"]


def test_json_has_every_value(folders):
    facts = json.loads(said(*folders, "--json"))
    assert facts["metric"] == "test/loss"
    assert facts["differing"] == {"rounds": ["2", "4"]}
    assert [each["last"] for each in facts["groups"]] == [[0.5], [0.25]]
    assert facts["groups"][1]["minus_the_first"]["mean"] == -0.25


def test_markdown_and_latex_have_the_figures_only(folders):
    assert said(*folders, "--md").splitlines()[2].startswith("| rounds=2")
    assert said(*folders, "--latex").startswith("\\begin{tabular}")


def test_csv_has_a_column_for_each_number(folders):
    header, first, second = (line.split(",") for line in said(*folders, "--csv").splitlines())
    assert header == ["", "runs", "last", "best", "minus the first", "better", "pairs"]
    assert (first, second) == (
        ["rounds=2", "1", "0.5", "0.5", "", "", ""],
        ["rounds=4", "1", "0.25", "0.25", "-0.25", "1", "1"],
    )


def test_runs_that_did_not_reach_their_end_are_named(folders, tmp_path):
    short = str(make_run(tmp_path / "short", 1))
    result = CliRunner().invoke(app, ["compare", folders[1], short])
    assert "Warning: short is not finished: 1 of 4 rounds." in result.stderr
    assert json.loads(said(folders[1], short, "--json"))["warnings"] == [
        "short is not finished: 1 of 4 rounds."
    ]


@pytest.mark.parametrize("command", ["compare", "plot"])
def test_a_column_of_a_stranger_moves_no_cursor(folders, tmp_path, command):
    run = make_run(tmp_path / "run", 2)
    rows = [{"round": number, "test/\x1b[2J": 0.5 / number} for number in (1, 2)]
    (run / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    result = CliRunner().invoke(app, [command, str(run), str(run)])
    assert result.exit_code == 0, result.output
    assert "\x1b" not in result.output
    assert "test/\\x1b[2J" in result.output


def test_an_unknown_run_is_refused_with_the_way_out():
    result = CliRunner().invoke(app, ["compare", "no-such-run"])
    assert result.exit_code == 2
    assert "`fedcli runs` lists them." in result.stderr
