"""Many rounds of a run, and many runs of a process, hold no more memory, threads or files than few."""

import sys

import pytest

from benchmarks import leaks

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a process what it holds"),
]


def test_rounds_leave_nothing_behind(tmp_path):
    series = leaks.over_rounds(80, tmp_path)
    assert len(series.figures) == 80
    assert series.complaints == []


@pytest.mark.parametrize("kind", ["plain", "failed"])
def test_runs_leave_nothing_behind_but_what_tensorflow_compiled(kind, tmp_path):
    series = leaks.over_runs(kind, 8, tmp_path)
    assert len(series.figures) == 8
    assert series.complaints == []


def test_a_thread_that_stays_is_named():
    steady = leaks.Figures(1000, 5, 20, 3, 0)
    series = leaks.Series("plain", "run", [steady, steady, steady._replace(threads=6)], leaks.KILOBYTES_A_RUN)
    assert series.complaints == ["threads grew from 5 to 6"]
