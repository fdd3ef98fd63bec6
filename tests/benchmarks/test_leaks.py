"""Many rounds of a run, and many runs of a process, hold no more memory, threads or files than few."""

import json
import subprocess
import sys

import pytest

from benchmarks import leaks

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a process what it holds"),
]


@pytest.mark.parametrize(("kind", "steps"), [("rounds", 100), ("plain", 8), ("failed", 8)])
def test_nothing_is_left_behind_but_what_tensorflow_compiled(kind, steps):
    # In a process of its own: what other tests used, the allocator gives back and takes again at any time.
    command = [sys.executable, leaks.__file__, "--json", "--only", kind]
    command += ["--rounds", str(steps), "--runs", str(steps)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode in (0, 1), done.stderr
    series = json.loads(done.stdout)
    assert (series["kind"], len(series["figures"]), series["complaints"]) == (kind, steps, [])


def test_a_thread_that_stays_is_named():
    steady = leaks.Figures(1000, 5, 20, 3, 0)
    series = leaks.Series("plain", "run", [steady, steady, steady._replace(threads=6)], leaks.KILOBYTES_A_RUN)
    assert series.complaints == ["threads grew from 5 to 6"]
