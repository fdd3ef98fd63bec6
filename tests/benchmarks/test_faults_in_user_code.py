"""Faults of every kind of custom component: short messages, exit codes, and runs that go on to the same bits."""

from pathlib import Path

import pytest

from benchmarks.faults_in_user_code import outcomes
from benchmarks.faulty_parts import FAULTS

ROOT = Path(__file__).parent.parent.parent


CHOSEN = {
    ("dataset", "none"), ("partition", "repeated"), ("preprocessing", "nan"), ("executor", "too-few"),
    ("client", "huge"), ("client", "key-error"), ("client", "huge-weight"), ("all-clients", "nan"),
    ("aggregator", "infinite-sum"), ("server", "nan-state"), ("callback", "exit-0"), ("cohort", "twice"),
}  # fmt: skip
"""Faults of every kind; the benchmark runs all."""


def test_the_page_has_every_fault():
    lines = (ROOT / "docs" / "faults.md").read_text().splitlines()
    rows = [line.split(" | ") for line in lines if line.startswith("| ")][1:]
    assert [row[0].removeprefix("| ") for row in rows] == [f"{where}: {what}" for where, what, _ in FAULTS]
    assert [int(row[2]) for row in rows] == [code for _, _, code in FAULTS]
    assert not any(row[3] == "no" or row[4].startswith("no |") for row in rows)
    assert len(rows) >= 40


@pytest.mark.slow
# As a user runs it: a warning of NumPy about huge numbers is no error there.
@pytest.mark.filterwarnings("default")
def test_a_fault_is_told_in_a_few_lines_and_its_run_goes_on_to_the_same_bits():
    found = list(outcomes([fault for fault in FAULTS if fault[:2] in CHOSEN]))
    assert len(found) == len(CHOSEN)
    assert [f"{each.fault}: {each.complaint}" for each in found if each.complaint] == []
