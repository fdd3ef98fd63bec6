"""`python -m benchmarks`: figures and their marks, the page, and in a quick run a row for everything."""

import json
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from benchmarks import __main__ as collection
from benchmarks import aggregators, page, topics
from benchmarks.figures import Figure, unmeasured
from benchmarks.topics import TOPICS
from fedcli.components.aggregators import AGGREGATORS

ROOT = Path(__file__).parents[2]
MACHINE = {
    "date": "2026-11-26 10:00 UTC",
    "commit": {"commit": "0123456789abcdef", "is_dirty": False},
    "processor": "a processor",
    "cores": 2,
    "memory_bytes": 24e9,
    "load": 0.05,
    "packages": {"numpy": "2.4"},
}


@pytest.mark.parametrize(
    ("value", "mark", "met"),
    [
        (1.04, {"most": 1.05}, True),
        (1.06, {"most": 1.05}, False),
        (1.7, {"least": 1.8}, False),
        (1.8, {"least": 1.8}, True),
        (1.0, {}, None),
        (None, {"most": 1.05}, None),
    ],
)
def test_a_mark_is_met_or_not_or_there_is_nothing_to_say(value, mark, met):
    assert Figure("x", value, "times", **mark).is_met is met


def test_a_row_on_the_terminal_has_the_mark_or_the_reason():
    assert Figure("x", 1.234, "times", most=1.05, note="3 pairs").line() == (
        "x: 1.23 times (at most 1.05: no); 3 pairs"
    )
    assert unmeasured("x", "times", "no images").line() == "x: -; no images"


def test_the_page_names_the_run_and_counts_what_is_met_and_missing():
    rows = [Figure("a | b", 1.0, "times", most=1.05), unmeasured("c", "times", "no images")]
    text = page.written(MACHINE, {"clients": rows}, quick=False)
    assert "Not part of this run: Executors and workers; " in text
    assert "A client inside a federation;" not in text
    assert "Of 1 marks 1 are met; 1 rows could not be measured" in text
    assert "- 2026-11-26 10:00 UTC, commit 0123456789\n" in text
    assert "a / b" in text
    assert [cell.strip() for cell in text.splitlines()[-1].split("|")[1:-1]] == [
        "c",
        "-",
        "",
        "not measured",
        "no images",
    ]
    assert "**" not in text


def test_the_page_says_what_makes_its_figures_worthless():
    text = page.written(MACHINE | {"load": 3.0}, {}, quick=True)
    assert "**These figures are of a quick run**" in text
    assert "**The machine was busy**: its load was 3.0" in text


def test_only_a_whole_run_writes_the_page_unasked():
    assert collection.parse([]).page == page.PAGE
    assert collection.parse(["--quick"]).page is None
    assert collection.parse(["--only", "start"]).page is None


def test_a_file_that_cannot_be_written_is_refused_before_anything_is_measured(tmp_path, capsys):
    for path in (tmp_path / "nowhere" / "facts.json", tmp_path):
        with pytest.raises(SystemExit):
            collection.parse(["--json", str(path)])
    assert "nowhere does not exist; make the folder first." in capsys.readouterr().err


def test_ctrl_c_keeps_the_figures_so_far_and_writes_no_page(tmp_path, monkeypatch, capsys):
    def stopped(name, *, quick):
        yield Figure(name, 1.0, "times")
        raise KeyboardInterrupt

    monkeypatch.setattr(collection, "measured", stopped)
    facts, written = tmp_path / "facts.json", tmp_path / "page.md"
    assert collection.main(["--json", str(facts), "--page", str(written)]) == 130
    assert [row["what"] for row in json.loads(facts.read_text())["figures"]] == ["clients"]
    assert not written.exists()
    assert "Stopped" in capsys.readouterr().err


def test_a_topic_that_is_left_leaves_no_process_and_no_thread(monkeypatch):
    slow = "import sys, time; print(sys.argv[1], flush=True); time.sleep(60)"
    row = json.dumps(Figure("x", 1.0, "times")._asdict())
    plain, begun = subprocess.Popen, []

    def popen(command, **options):
        begun.append(plain([sys.executable, "-c", slow, row], **options))
        return begun[-1]

    monkeypatch.setattr(topics.subprocess, "Popen", popen)
    rows = topics.measured("start", quick=True)
    assert next(rows).what == "x"
    rows.close()
    assert begun[0].returncode is not None
    assert not any(
        isinstance(thread, threading.Timer) and thread.is_alive() for thread in threading.enumerate()
    )


def test_every_aggregator_is_measured():
    assert aggregators.PARAMETERS.keys() == AGGREGATORS.keys()
    reading = aggregators.measure("bulyan", aggregators.updates(aggregators.CLIENTS, 50), 1)
    assert reading.times > 0
    assert "GB/s" in reading.note


class TestTopics:
    def test_a_topic_that_is_not_there_has_a_row_that_says_so(self, monkeypatch):
        monkeypatch.setitem(TOPICS, "clients", topics.Topic("benchmarks.nothing", "Nothing", ""))
        (row,) = topics.measured("clients", quick=True)
        assert (row.value, row.note) == (None, "this version has no benchmarks.nothing")

    def test_a_process_that_fails_leaves_its_rows_and_the_reason(self, monkeypatch, tmp_path):
        row = json.dumps(Figure("first", 1.0, "s")._asdict())
        program = tmp_path / "python"
        program.write_text(f"#!/bin/sh\necho 'a log'; echo '{row}'; echo 'no memory' >&2; exit 3\n")
        program.chmod(0o755)
        monkeypatch.setattr(topics.sys, "executable", str(program))
        first, rest = topics.measured("clients", quick=True)
        assert first == Figure("first", 1.0, "s")
        assert rest.what.endswith(", the rest")
        assert rest.note == "its process ended with exit code 3; it says: no memory"


@pytest.mark.slow
def test_a_quick_run_has_a_figure_or_a_reason_in_every_row(tmp_path):
    # The other topics take many minutes, and install other libraries.
    only = ["aggregators", "proofs", "start"]
    command = [sys.executable, "-m", "benchmarks", "--quick", "--only", *only]
    command += ["--json", str(tmp_path / "facts.json"), "--page", str(tmp_path / "page.md")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=1500, check=False)
    assert done.returncode == 0, done.stderr
    facts = json.loads((tmp_path / "facts.json").read_text())
    assert {row["topic"] for row in facts["figures"]} == {*only}
    for row in facts["figures"]:
        assert row["value"] is not None or row["note"], row
        assert "its process ended" not in row["note"], row
    measured = {row["topic"] for row in facts["figures"] if row["value"] is not None}
    assert measured == {*only}
    assert "## Aggregators" in (tmp_path / "page.md").read_text()


SCRIPTS = [
    each
    for each in sorted((ROOT / "benchmarks").glob("*.py"))
    if '__name__ == "__main__"' in each.read_text(encoding="utf-8")
]
# What needs a library that is installed by hand, and what has no flags.
QUICK = {"fuzz_with_atheris", "attacks_on_noise"}


@pytest.mark.parametrize(
    "script",
    [
        pytest.param(each, id=each.stem, marks=() if each.stem in QUICK else pytest.mark.slow)
        for each in SCRIPTS
    ],
)
def test_every_script_explains_itself_and_does_nothing_else(script):
    done = subprocess.run(
        [sys.executable, script, "--help"], cwd=ROOT, capture_output=True, text=True, timeout=600
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("usage: ")
