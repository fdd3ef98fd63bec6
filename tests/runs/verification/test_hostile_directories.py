"""A directory that would harm its reader is refused by a sentence: at once, and never by a traceback."""

import contextlib
import shutil

import pytest
from hostile import REFUSED, linked_checkpoints

from fedcli.core.errors import FedcliError
from fedcli.runs import run_directory
from fedcli.runs.verification import verify_run

NAMES = [forge.__name__ for forge in REFUSED]


@pytest.fixture
def run(old_audited_run, tmp_path):
    shutil.copytree(old_audited_run, tmp_path / "run")
    return tmp_path / "run"


@pytest.mark.parametrize("forge", REFUSED, ids=NAMES)
def test_it_is_refused_by_verify(run, forge):
    forge(run)
    report = verify_run(run)
    assert not report.holds
    said = [finding.sentence for finding in report.failures]
    assert any(REFUSED[forge] in sentence for sentence in said), said


@pytest.mark.parametrize("forge", REFUSED, ids=NAMES)
def test_whoever_reads_it_gets_a_sentence_or_what_the_run_wrote(run, forge):
    forge(run)
    opened = run_directory.Run(run)
    for read in (
        lambda: opened.config,
        lambda: opened.environment,
        lambda: opened.records,
        lambda: opened.privacy,
        lambda: opened.head,
        opened.weights,
        opened.metrics,
        opened.clients,
        lambda: repr(opened),
        opened._repr_html_,
    ):
        # Anything else ends the test.
        with contextlib.suppress(FedcliError):
            read()


def test_nothing_outside_a_run_directory_is_read_or_listed_through_a_link(run):
    linked_checkpoints(run)
    assert (run / "checkpoints/round-00003").is_dir()
    with pytest.raises(FedcliError, match="checkpoints is not a folder: it is a symbolic link"):
        _ = run_directory.Run(run).rounds
