"""The files that a run leaves for people."""

import csv
import io
import struct

import pytest
import tiny

import fedcli
from fedcli.core.errors import RunInterrupted
from fedcli.runs import outcome
from fedcli.runs.curves import curves, panels_of
from fedcli.runs.lifecycle import Progress
from fedcli.runs.results_table import results_table
from fedcli.runs.summary import read_summary

RECORDS = [
    {"round": 1, "test/loss": 2.0, "bytes_up": 10_000_000, "train/loss": 3.0},
    {"round": 2, "test/loss": 1.0, "test/accuracy": 0.5, "bytes_up": 20_000_000, "epsilon": 0.5},
]


class TestTable:
    def test_columns_keep_their_order_and_absent_values_are_empty_cells(self):
        assert results_table(RECORDS, ["round", "test/accuracy", "test/loss", "validation/loss"]) == (
            "round,test/accuracy,test/loss,bytes_up,train/loss,epsilon\n"
            "1,,2.0,10000000,3.0,\n"
            "2,0.5,1.0,20000000,,0.5\n"
        )

    def test_a_cell_with_a_comma_or_a_quote_is_read_back(self):
        note = 'void: "late", 2 of 3'
        assert list(csv.DictReader(io.StringIO(results_table([{"note": note}])))) == [{"note": note}]


class TestCurves:
    def test_there_is_a_panel_for_the_metric_the_loss_and_every_cost(self):
        panels = {panel.title: panel.lines for panel in panels_of(RECORDS)}
        assert list(panels) == ["accuracy", "loss", "epsilon", "MB sent by the clients, since the start"]
        assert [line.name for line in panels["loss"]] == ["test/loss", "train/loss"]

    def test_bytes_add_up(self):
        (line,) = panels_of(RECORDS)[-1].lines
        assert line.values == [10.0, 30.0]

    def test_the_picture_is_1600_pixels_wide_and_the_same_every_time(self):
        picture = curves(RECORDS, "$a name_with <markup>$")
        assert picture[:8] == b"\x89PNG\r\n\x1a\n"
        assert struct.unpack(">II", picture[16:24]) == (1600, 1100)
        assert curves(RECORDS, "$a name_with <markup>$") == picture

    def test_without_an_evaluation_there_is_nothing_to_draw(self):
        assert curves([{"round": 1, "train/loss": 1.0}], "nothing") is None


@pytest.fixture(scope="module")
def result(tmp_path_factory):
    return fedcli.run(tiny.YAML, ["rounds=2"], folder=tmp_path_factory.mktemp("runs") / "run")


def test_a_run_leaves_a_table_a_picture_and_a_summary(result):
    assert (result.folder / "curves.png").stat().st_size > 10_000
    table = list(csv.DictReader(io.StringIO((result.folder / "results.csv").read_text())))
    assert [float(row["test/loss"]) for row in table] == [row["test/loss"] for row in result.records]
    said = read_summary(result.folder)
    assert (said.rounds, said.planned, said.ending) == (2, 2, result.ending)
    assert said.figures.last == result.records[-1][said.figures.column]


def test_a_summary_of_another_log_is_out_of_date(result, tmp_path):
    for name in ("summary.json", "metrics.jsonl"):
        (tmp_path / name).write_bytes((result.folder / name).read_bytes())
    assert read_summary(tmp_path) is not None
    with (tmp_path / "metrics.jsonl").open("a") as log:
        log.write("{}\n")
    assert read_summary(tmp_path) is None


def test_an_interrupted_run_leaves_them_too(tmp_path):
    def interrupt(_record):
        raise RunInterrupted("now")

    with pytest.raises(RunInterrupted):
        fedcli.run(tiny.YAML, ["rounds=5"], folder=tmp_path / "run", progress=Progress(round_end=interrupt))
    said = read_summary(tmp_path / "run")
    assert (said.rounds, said.ending) == (1, None)
    assert (tmp_path / "run/curves.png").exists()


def test_a_picture_that_fails_is_said_and_fails_no_run(result, tmp_path, monkeypatch):
    def broken(_records, _title):
        raise MemoryError("no room")

    monkeypatch.setattr(outcome, "curves", broken)
    with pytest.warns(
        UserWarning, match=r"could not be written \(MemoryError: no room\); the run itself is compl"
    ):
        assert fedcli.resume(result.folder).rounds[-1] == 2
