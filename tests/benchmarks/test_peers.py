"""The comparison with other libraries, without the libraries: what is installed, read, refused and printed."""

import sys

import pytest

from benchmarks.peers import __main__ as peers
from benchmarks.peers import contest, environments
from benchmarks.peers.contest import Comparison, Timed
from benchmarks.peers.environments import FLOWER
from fedcli.core.errors import FedcliError

FOUND = Comparison(
    "2nn",
    {
        "fedcli": [Timed(5.0, 0.80), Timed(4.0, 0.82)],
        "flower": [Timed(200.0, 0.81), Timed(240.0, 0.79)],
    },
)


def program(text):
    return [sys.executable, "-c", text]


def test_ratios_are_within_a_run_and_beside_their_mark():
    (figure,) = contest.figures_of(FOUND)
    assert (figure.value, figure.least, figure.is_met) == (50.0, 40.0, True)
    assert "220.0 against 4.5 ms a client; 40.00 to 60.00 in 2 runs" in figure.note
    assert peers.lines(FOUND)[1].split() == [
        *["flower", "220.0", "50.00", "(40.00", "-", "60.00)", "at", "least", "40", "0.800"]
    ]


def test_the_rounds_that_warm_up_and_the_last_one_are_not_timed(tmp_path):
    times = [0, 100, 200, 201, 203, 300]
    printed = f'print("a log"); print(\'{{"times": {times}, "accuracy": 0.5}}\')'
    assert contest.timed("x", program(printed), tmp_path, cohort=20) == Timed(1000 * 1.5 / 20, 0.5)


def test_what_a_failing_program_said_is_in_the_error(tmp_path):
    with pytest.raises(FedcliError, match=r"x ended with exit code 3; it printed last:\nno such thing"):
        contest.timed(
            "x",
            program("import sys; print('no such thing', file=sys.stderr); sys.exit(3)"),
            tmp_path,
            cohort=1,
        )
    with pytest.raises(FedcliError, match="x ended with exit code 0"):
        contest.timed("x", program(""), tmp_path, cohort=1)


def test_sides_that_end_with_other_accuracies_are_refused(monkeypatch, tmp_path):
    monkeypatch.setattr(contest, "write_task", lambda *_, **__: None)
    monkeypatch.setattr(contest, "timed", lambda name, *_, **__: Timed(1.0, 0.9 if name == "fedcli" else 0.6))
    with pytest.raises(FedcliError, match=r"flower ends with an accuracy of 0\.600, fedcli with 0\.900"):
        contest.compare("2nn", [FLOWER], tmp_path, runs=1, rounds=1)


def test_an_environment_is_there_when_all_of_its_requirements_are(tmp_path):
    assert not environments.is_installed(FLOWER, tmp_path)
    (tmp_path / "flower").mkdir()
    stamp = tmp_path / "flower" / environments.STAMP
    stamp.write_text("\n".join(environments.requirements(FLOWER)))
    assert environments.is_installed(FLOWER, tmp_path)
    stamp.write_text("flwr[simulation]==1.0")
    assert not environments.is_installed(FLOWER, tmp_path)


def test_a_missing_library_is_a_sentence_with_no_install(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(peers.bare_loop, "IMAGES", tmp_path)
    monkeypatch.setattr(
        sys, "argv", ["peers", "--peers", "pfl", "--no-install", "--cache", str(tmp_path / "cache")]
    )
    assert peers.main() == 2
    said = capsys.readouterr().err
    assert said.startswith(f"pfl[tf]==0.6.0 is not in {tmp_path / 'cache' / 'pfl'}. Run without --no-install")


def test_in_the_collection_a_library_that_is_not_installed_is_a_row(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    rows = list(contest.figures(quick=True))
    assert [row.value for row in rows] == [None, None]
    assert "`python -m benchmarks.peers` installs it" in rows[0].note


def test_quick_changes_only_what_was_not_asked_for():
    quick = peers.parse(["--quick", "--runs", "2"])
    assert (quick.models, quick.runs, quick.rounds) == (("2nn",), 2, 2)
    assert peers.parse([]).runs == 3
