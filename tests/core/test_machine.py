"""Cores of this machine."""

import os
import subprocess
import sys

import pytest

from fedcli.core.machine import available_cores


def test_there_is_at_least_one_core_and_never_more_than_the_machine_has():
    assert 1 <= available_cores() <= os.cpu_count()


@pytest.mark.parametrize(("granted", "cores"), [("1", 1), ("100000", None), ("", None), ("many", None)])
def test_slurm_grants_no_more_than_there_are(granted, cores, monkeypatch):
    monkeypatch.delenv("SLURM_CPUS_PER_TASK", raising=False)
    own = available_cores()
    monkeypatch.setenv("SLURM_CPUS_PER_TASK", granted)
    assert available_cores() == (cores or own)


@pytest.mark.skipif(
    not hasattr(os, "sched_setaffinity"), reason="this system cannot limit a process to a core"
)
def test_a_process_that_is_limited_to_one_core_has_one():
    code = (
        "import os\n"
        "from fedcli.core.machine import available_cores\n"
        "os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})\n"
        "print(available_cores())"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout == "1\n"
