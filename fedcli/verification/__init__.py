"""What an auditor can tell from a run directory alone; nothing that it holds is executed or unpickled."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from fedcli import store
from fedcli.core.errors import ConfigError
from fedcli.shelf import StoredTree
from fedcli.verification.chain import WHAT, checked_chain
from fedcli.verification.clients import checked_clients
from fedcli.verification.evidence import checked_evidence
from fedcli.verification.files import checked_files, checked_names
from fedcli.verification.lines import checked_logs
from fedcli.verification.links import Pair, covering, read_pairs
from fedcli.verification.report import Finding, Report, Tally

__all__ = ["Finding", "Report", "Tally", "verify_run"]


def verify_run(folder: Path, *, round: int | None = None, independent: bool = False) -> Report:
    """Check every file of a run's checkpoints, the chain that they form, the logs, and the clients' states.

    Args:
        folder: the run directory.
        round: check only the first checkpoint that covers this round; all of them if it is not given.
        independent: verify proofs a second time, by another library.

    Raises:
        ConfigError: if `folder` is no run directory, no checkpoint covers `round`, or there are no proofs.
    """
    store.read_config(folder)
    if independent:
        raise ConfigError(
            f"{folder} keeps no proofs to verify a second time.", hint="Leave out --independent."
        )
    pairs = read_pairs(folder)
    chosen = pairs if round is None else covering(pairs, round)
    last = pairs[-1].link if pairs else None
    return Report(tuple(_findings(folder, chosen)), last and last.digest, last and last.round)


def _findings(folder: Path, pairs: list[Pair]) -> Iterator[Finding]:
    if not pairs:
        place = store.CHECKPOINTS
        sentence = (
            f"{place} holds none: the run was stopped before its first checkpoint, or they were removed."
        )
        yield Finding(WHAT, None, place, holds=False, sentence=sentence)
    yield from checked_names(folder)
    intact = []
    for pair in pairs:
        found = [*checked_files(folder, pair.link)]
        yield from found
        intact += [pair.link] if all(finding.holds for finding in found) else []
    for pair in pairs:
        yield from checked_chain(folder, pair)
    yield from checked_evidence(folder, pairs)
    yield from checked_logs(folder, pairs)
    seen: set[StoredTree] = set()
    for link in intact:
        yield from checked_clients(folder, link, seen)
