"""Faults of every kind of custom component: short messages, exit codes, and runs that go on to the same bits."""

import pytest

from benchmarks.faults_in_user_code import outcomes
from benchmarks.faulty_parts import FAULTS


@pytest.mark.slow
# As a user runs it: a warning of NumPy about huge numbers is no error there.
@pytest.mark.filterwarnings("default")
def test_every_fault_is_told_in_a_few_lines_and_its_run_goes_on():
    found = list(outcomes(FAULTS))
    assert len(found) >= 40
    assert [f"{each.fault}: {each.complaint}" for each in found if each.complaint] == []
