"""`fedcli plot`."""

import pytest
from kept_runs import make_run
from typer.testing import CliRunner

from fedcli.cli.app import app


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return str(make_run(tmp_path_factory.mktemp("plotted") / "run", 4))


def test_it_plots_in_the_terminal_within_its_width(folder, monkeypatch):
    monkeypatch.setenv("COLUMNS", "60")
    result = CliRunner().invoke(app, ["plot", folder])
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert lines[0].strip() == "test/loss, by round"
    assert max(map(len, lines[:-1])) <= 60
    assert lines[-1].endswith("0.25 at the end")
    assert "\x1b" not in result.stdout


def test_it_writes_a_picture_and_says_where(folder, tmp_path):
    path = tmp_path / "loss.svg"
    result = CliRunner().invoke(app, ["plot", folder, "-o", str(path)])
    assert (result.exit_code, result.stdout.strip()) == (0, str(path))
    assert "test/loss" in path.read_text()


def test_another_kind_of_file_is_refused(folder, tmp_path):
    result = CliRunner().invoke(app, ["plot", folder, "-o", str(tmp_path / "loss.gif")])
    assert result.exit_code == 2
    assert "Give a name that ends in .png, .svg or .pdf." in result.stderr
