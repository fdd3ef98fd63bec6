"""`fedcli docs` as a person reads it: at every width, in a pipe, as JSON."""

import json

import pytest
from typer.testing import CliRunner

from fedcli.cli.app import app
from fedcli.experiment.manual import look_up

RUNNER = CliRunner()


@pytest.mark.parametrize("columns", [60, 80, 120])
def test_lines_fit_the_terminal_and_no_word_is_broken(columns):
    narrow = RUNNER.invoke(app, ["docs", "dp-clipped"], env={"FORCE_COLOR": "1", "COLUMNS": str(columns)})
    whole = RUNNER.invoke(app, ["docs", "dp-clipped"])
    assert max(map(len, narrow.output.splitlines())) <= min(columns, 100)
    assert narrow.output.split() == whole.output.split()


def test_a_pipe_gets_each_text_in_one_line():
    printed = RUNNER.invoke(app, ["docs", "fedprox"]).output.splitlines()
    assert printed[0] == "fedprox: strategy"
    assert "  mu = 0.01  (number, at least 0)" in printed
    assert "  strategy: {name: fedprox, mu: 0.01}" in printed
    assert any(line.startswith("  client k trains on F_k(v) + mu / 2") for line in printed)


def test_as_json():
    strategy, algorithm = json.loads(RUNNER.invoke(app, ["docs", "fedprox", "--json"]).output)
    assert (strategy["kind"], algorithm["kind"]) == ("strategy", "local algorithm")
    assert strategy["entries"][0]["range"] == "at least 0"
    assert "arXiv:1812.06127" in strategy["facts"]["reference"]


def test_a_name_with_many_pages_lists_them():
    output = RUNNER.invoke(app, ["docs", "alpha"]).output
    assert output.startswith("5 pages are about alpha:")
    assert "data.partition.alpha" in output


def test_a_kind_asks_for_one_of_them():
    output = RUNNER.invoke(app, ["docs", "sgd", "--kind", "optimizers"]).output
    assert output.startswith("sgd: optimizer\n")


def test_a_misspelt_name_is_an_error_with_a_hint():
    result = RUNNER.invoke(app, ["docs", "fedprxo"])
    assert result.exit_code == 2
    assert "Did you mean fedprox?" in result.output


def test_without_a_name_it_prints_what_there_is_to_ask_for():
    result = RUNNER.invoke(app, ["docs"])
    assert result.exit_code == 0
    rows = {line.split()[0]: line for line in result.output.splitlines() if line}
    assert {"strategies", "callbacks", "keys", "columns", "terms"} <= rows.keys()
    assert "fedcli docs fedprox" in result.output
    names = json.loads(RUNNER.invoke(app, ["docs", "--json"]).output)
    assert all(names.values())
    assert "fedprox" in names["strategies"]
    assert "participation.deadline" in names["keys"]


def test_a_kind_without_a_name_lists_it():
    listed = RUNNER.invoke(app, ["docs", "--kind", "schedules"])
    assert listed.output == RUNNER.invoke(app, ["list", "schedules"]).output


@pytest.mark.parametrize("section", ["keys", "columns", "terms"])
def test_every_name_that_it_prints_has_a_page(section):
    names = json.loads(RUNNER.invoke(app, ["docs", "--json"]).output)[section]
    assert all(look_up(name) for name in names)


def test_the_name_of_a_kind_lists_it():
    assert (
        RUNNER.invoke(app, ["docs", "schedules"]).output == RUNNER.invoke(app, ["list", "schedules"]).output
    )
