"""The report of a verification: what was checked, and what is wrong."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple, final

SAYS = "statements of rounds"
PROOFS = "proofs of bounded norms"
SUMS = "sums of commitments"
STARTS = "starting models"
NEXT = "next models"
REPLAY = frozenset({SAYS, PROOFS, SUMS, STARTS, NEXT})
"""The kinds of checks that a replay of the models from proofs consists of."""


@final
@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was checked, or that could not be checked.

    Args:
        what: the kind of check, one line of the table.
        round: the round that it is about; None for the whole run.
        file: the file or folder that was checked, below the run directory.
        holds: whether it is as it should be.
        sentence: what is wrong, or a note if it holds; it begins with the file.
        unchecked: what was not checked, in a few words; empty if it was. The sentence says why.
    """

    what: str
    round: int | None
    file: str
    holds: bool = True
    sentence: str = ""
    unchecked: str = ""


def skipped(what: str, file: str, unchecked: str, why: str, *, round: int | None = None) -> Finding:
    """The finding that something was not checked; `why` ends the sentence that begins with it."""
    # Never left out: what is missing from a report would pass for something that holds.
    return Finding(
        what, round, file, sentence=f"not checked: {unchecked}, because {why}.", unchecked=unchecked
    )


def moved_rounds(findings: Iterable[Finding]) -> set[int]:
    """The rounds whose sum a replay applied to the model for which its proofs were made."""
    # Round 0 has a starting model too, the initial one, which no sum moved.
    return {each.round for each in findings if each.what == STARTS and each.holds and each.round}


class CheckCount(NamedTuple):
    """How many checks of a kind were made, how many failed, and how many could not be made."""

    what: str
    checked: int
    failed: int
    unchecked: int


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
        return [each for each in self.findings if each.holds and each.sentence and not each.unchecked]

    @property
    def unchecked(self) -> list[Finding]:
        """What could not be checked, each with its reason."""
        return [finding for finding in self.findings if finding.unchecked]

    @property
    def complete(self) -> bool:
        """Whether everything was checked that `verify` checks of a run with proofs."""
        return not self.unchecked

    @property
    def is_replayed(self) -> bool:
        """Whether every model follows from the first one by sums whose proofs were verified, of one round at least."""
        missing = {finding.what for finding in self.unchecked}
        return self.holds and not missing & REPLAY and bool(moved_rounds(self.findings))

    def counts(self) -> list[CheckCount]:
        """The findings counted by kind, in the order in which the kinds first appear."""
        counts = []
        for what in dict.fromkeys(finding.what for finding in self.findings):
            of = [finding for finding in self.findings if finding.what == what]
            unchecked = sum(bool(finding.unchecked) for finding in of)
            failed = sum(not finding.holds for finding in of)
            counts.append(CheckCount(what, len(of) - unchecked, failed, unchecked))
        return counts
