"""The comparison of a run with a head that was written down, without a file of keys."""

from __future__ import annotations

import re
from pathlib import Path

from fedcli.core.errors import ConfigError
from fedcli.runs.kept_checkpoints import planned_retention
from fedcli.runs.verification.chain_links import read_pairs
from fedcli.runs.verification.report import Finding, VerificationReport, skipped
from fedcli.store import directory

WHAT = "published head"
_HEAD = re.compile(r"[0-9a-fA-F]{64}\Z")


def parse_head(said: str) -> str:
    """A head as `fedcli head` prints it.

    Raises:
        ConfigError: if it is not 64 hexadecimal digits.
    """
    if not _HEAD.match(said):
        raise ConfigError(
            f"a head has 64 hexadecimal digits; received {said!r}, of {len(said)} characters.",
            key="head",
            hint="Give the line `head` that `fedcli head RUN` printed.",
        )
    return said.lower()


def against_head(report: VerificationReport, folder: Path, head: str) -> VerificationReport:
    """The report with the finding whether a checkpoint of the run has this head.

    A head of an earlier round covers the run up to that round; what is after it is named as unchecked.
    """
    links = [pair.link for pair in read_pairs(folder, planned_retention(folder))]
    found = next((link for link in links if link.digest == head), None)
    if found is None:
        sentence = f"{directory.CHECKPOINTS} has no checkpoint with the published head {head[:16]}..."
        findings = [Finding(WHAT, None, directory.CHECKPOINTS, holds=False, sentence=sentence)]
    else:
        findings = [Finding(WHAT, found.round, found.file)]
        if found is not links[-1]:
            what = f"the rounds after round {found.round} against a published head"
            why = f"the head that was published is that of round {found.round}"
            findings.append(skipped(WHAT, directory.CHECKPOINTS, what, why))
    return report._replace(findings=(*report.findings, *findings))
