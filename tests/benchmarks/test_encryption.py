"""The benchmark of encryption runs, checks what it opens, and prints what it measured."""

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent


def test_a_small_benchmark_prints_every_scheme_and_the_yardstick():
    command = [sys.executable, str(ROOT / "benchmarks" / "encryption.py"), "--json"]
    command += ["--values", "2000", "--repeats", "1", "--summands", "10"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=1800)
    assert done.returncode == 0, done.stderr
    rows = json.loads(done.stdout)
    assert [row["scheme"].split()[0] for row in rows] == ["shared-key", "threshold", "masks,", "TenSEAL"]
    assert all(row["encrypt"] > 0 and row["add"] > 0 and row["open"] > 0 and row["bytes"] > 0 for row in rows)
    assert "| encrypt s | add s | open s |" in done.stderr
