"""The report of a verification: what was checked, and what is wrong."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, final


@final
@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was checked.

    Args:
        what: the kind of check, one line of the table.
        round: the round that it is about; None for the whole run.
        file: the file or folder that was checked, below the run directory.
        holds: whether it is as it should be.
        sentence: what is wrong, or a note if it holds; it begins with the file.
    """

    what: str
    round: int | None
    file: str
    holds: bool = True
    sentence: str = ""


class CheckCount(NamedTuple):
    """How many checks of a kind were made, and how many failed."""

    what: str
    checked: int
    failed: int


class VerificationReport(NamedTuple):
    """What a verification found.

    Args:
        findings: everything that was checked, in this order.
        head: digest of the last checkpoint's manifest, which identifies the whole chain; None without a checkpoint.
        last: the round of that checkpoint.
        not_covered: what a verification of this run directory cannot show, one sentence each.
    """

    findings: tuple[Finding, ...]
    head: str | None
    last: int | None
    not_covered: tuple[str, ...] = ()

    @property
    def holds(self) -> bool:
        """Whether everything holds."""
        return all(finding.holds for finding in self.findings)

    @property
    def failures(self) -> list[Finding]:
        """The findings that do not hold."""
        return [finding for finding in self.findings if not finding.holds]

    @property
    def notes(self) -> list[Finding]:
        """Findings that hold and have something to say."""
        return [finding for finding in self.findings if finding.holds and finding.sentence]

    def counts(self) -> list[CheckCount]:
        """The findings counted by kind, in the order in which the kinds first appear."""
        kinds = dict.fromkeys(finding.what for finding in self.findings)
        of = {what: [finding.holds for finding in self.findings if finding.what == what] for what in kinds}
        return [CheckCount(what, len(held), held.count(False)) for what, held in of.items()]
