"""`fedcli runs`, and the tables that commands print."""

import csv
import io
import json
import os

import pytest
from kept_runs import CONFIG, make_run
from typer.testing import CliRunner

from fedcli.cli.app import app
from fedcli.cli.printed_table import _fitting, _narrowed, _padded, print_table


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    root = tmp_path_factory.mktemp("listed")
    for number, (name, rounds) in enumerate([("older", 4), ("newer", 2)]):
        run = make_run(root / name, rounds, config=f"name: {name}\n{CONFIG}", run=name)
        os.utime(run / "environment.json", (1_000_000 + number,) * 2)
    return root


def said(folder, *arguments):
    result = CliRunner().invoke(app, ["runs", "--folder", str(folder), *arguments])
    assert result.exit_code == 0, result.output
    return result.stdout


def test_one_line_a_run_and_nothing_is_cut_in_a_pipe(folder):
    header, newer, older = said(folder).splitlines()
    assert header.split() == [
        "run",
        "config",
        "strategy",
        "state",
        "rounds",
        "metric",
        "best",
        "last",
        "time",
        "age",
    ]
    assert newer.split()[0] == "1"
    assert newer.split()[2:6] == ["newer", "weighted", "interrupted", "2/4"]
    assert older.split()[2:6] == ["older", "weighted", "done", "4/4"]
    assert older.split()[6:9] == ["test/loss", "0.25", "0.25"]


def test_json_csv_and_markdown_have_the_same_runs(folder):
    facts = json.loads(said(folder, "--json"))
    assert [(run["number"], run["name"], run["rounds"]) for run in facts] == [
        (1, "newer", 2),
        (2, "older", 4),
    ]
    table = list(csv.DictReader(io.StringIO(said(folder, "--csv"))))
    assert [row["short"] for row in table] == [run["short"] for run in facts]
    markdown = said(folder, "--md").splitlines()
    assert len(markdown) == 4
    assert all(line.startswith("|") for line in markdown)


def test_runs_are_filtered_and_sorted(folder):
    assert [run["name"] for run in json.loads(said(folder, "--json", "--name", "old"))] == ["older"]
    assert [run["name"] for run in json.loads(said(folder, "--json", "--state", "interrupted"))] == ["newer"]
    # The smaller loss is the better one.
    assert [run["name"] for run in json.loads(said(folder, "--json", "--sort", "best"))] == ["older", "newer"]


def test_two_forms_at_once_are_refused(folder):
    result = CliRunner().invoke(app, ["runs", "--folder", str(folder), "--csv", "--md"])
    assert result.exit_code == 2
    assert "choose one of --md, --csv" in result.output


def test_a_folder_without_runs_says_how_to_start_one(tmp_path):
    result = CliRunner().invoke(app, ["runs", "--folder", str(tmp_path)])
    assert result.exit_code == 0
    assert "Start one with: fedcli run CONFIG" in result.stderr


class TestTables:
    def test_a_bar_in_a_cell_of_markdown_begins_no_new_cell(self, capsys):
        print_table([{"name": "a|b", "value": 1.23456789}], "md")
        assert capsys.readouterr().out.splitlines()[2].replace(" ", "") == "|a\\|b|1.23457|"

    def test_latex_escapes_what_it_would_take_for_commands(self, capsys):
        print_table([{"name": "test_accuracy 50 %", "value": 0.5}], "latex")
        out = capsys.readouterr().out
        assert "test\\_accuracy 50 \\%" in out
        assert "\\toprule" in out

    def test_a_narrow_terminal_leaves_out_the_spare_columns_in_order(self):
        widths = {"run": 10, "config": 20, "time": 10, "last": 10}
        assert _fitting(widths, 50, ["time", "config"]) == ["run", "config", "time", "last"]
        assert _fitting(widths, 49, ["time", "config"]) == ["run", "config", "last"]
        assert _fitting(widths, 5, ["time", "config"]) == ["run", "last"]

    def test_texts_are_cut_where_they_do_not_fit_the_longest_first_and_numbers_never(self):
        widths = _narrowed({"run": 12, "config": 30, "note": 20, "best": 9}, 60, {"run", "best"})
        assert widths == {"run": 12, "config": 21, "note": 20, "best": 9}
        assert _padded(["a-long-name", "1.5"], ["config", "best"], {"config": 8, "best": 7}, {"best"}) == [
            "a-lon…",
            "  1.5",
        ]
        # What may not be cut stays, and the terminal breaks the line.
        assert _narrowed({"run": 12, "best": 9}, 10, {"run", "best"}) == {"run": 12, "best": 9}
