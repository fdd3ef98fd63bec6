"""A sample of interruptions of real runs, and kills of real processes: the same bits, nothing lost, nothing left."""

from unittest.mock import patch

import pytest

from benchmarks import interruptions, kills
from fedcli.store.files import durable


@pytest.mark.slow
@pytest.mark.parametrize("config", interruptions.CONFIGS)
def test_a_run_that_is_interrupted_anywhere_goes_on_to_the_same_bits(config):
    # With proofs, a round takes seconds.
    sample = 2 if config.startswith("together") else 12
    found = interruptions.interrupt([config], [*interruptions.MODES], sample=sample, seed=1)
    assert found["points"] == sample * len(interruptions.MODES)
    assert found["shown"] == []


@pytest.mark.slow
def test_a_file_that_is_written_in_place_would_be_noticed():
    def write(path, content, *, mode=0o666, disk):
        if path.exists():
            disk.remove(path)
        disk.write(path, content.encode() if isinstance(content, str) else content, mode=mode)

    with patch.object(durable, "write", write):
        found = interruptions.interrupt(["correlated-once"], ["killed", "power"], sample=40, seed=1)
    assert found["shown"]


@pytest.mark.slow
@pytest.mark.parametrize("config", ["adam-dropout", "scaffold"])
def test_a_process_that_is_killed_leaves_a_run_that_goes_on_and_no_processes(config):
    found = kills.count([config], kills=3, seed=1)
    assert found["rows"][0]["killed"] == 3
    assert found["shown"] == []
