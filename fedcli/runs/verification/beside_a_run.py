"""Verifies a run directory while its run goes on: a file that changed between two looks is not damaged."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from fedcli.runs.verification.report import Finding, VerificationReport, skipped
from fedcli.store.files import locks

WHAT = "running process"
_LOOKS = 3
# Longer than a checkpoint takes to be written.
_PAUSE_SECONDS = 0.3


def settled(run: Path, look: Callable[[], VerificationReport]) -> VerificationReport:
    """A report that names as failing only what fails whenever one looks, and says so if the run is being written.

    Args:
        run: the run directory.
        look: verifies it once.
    """
    was_held = locks.is_held(run)
    report = look()
    # Also if it ended meanwhile: it wrote while it was looked at.
    if not (was_held or locks.is_held(run)):
        return report
    lasting = _faults(report)
    for _ in range(_LOOKS - 1):
        if not lasting:
            break
        time.sleep(_PAUSE_SECONDS)
        report = look()
        lasting &= _faults(report)
    holder = locks.holder(run)
    who = "another process" if holder is None else f"process {holder}"
    sentence = f"The run is being written by {who}; verify it again when it has ended."
    findings = [each if _key(each) in lasting or each.holds else _excused(each) for each in report.findings]
    return report._replace(findings=(*findings, Finding(WHAT, None, "", sentence=sentence)))


def _faults(report: VerificationReport) -> set[tuple[str, int | None, str]]:
    return {_key(each) for each in report.failures}


def _key(finding: Finding) -> tuple[str, int | None, str]:
    # Without the sentence, which may have a length that grows.
    return finding.what, finding.round, finding.file


def _excused(finding: Finding) -> Finding:
    said = skipped(finding.what, finding.file, finding.file or finding.what, "the run wrote it meanwhile")
    return replace(said, round=finding.round)
