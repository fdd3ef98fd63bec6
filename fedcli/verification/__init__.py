"""What an auditor can tell from a run directory alone; nothing that it holds is executed or unpickled."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from fedcli import store
from fedcli.core.errors import ConfigError
from fedcli.shelf import StoredTree
from fedcli.verification import evidence
from fedcli.verification.chain import WHAT, checked_chain
from fedcli.verification.clients import checked_clients
from fedcli.verification.evidence import checked_evidence
from fedcli.verification.files import checked_files, checked_names
from fedcli.verification.limits import not_covered
from fedcli.verification.lines import checked_logs
from fedcli.verification.links import Link, Pair, covering, read_pairs
from fedcli.verification.report import Finding, Report, Tally
from fedcli.verification.rounds import Wanted, Watch, checked_rounds, planned

__all__ = ["Finding", "Report", "Tally", "Watch", "verify_run"]


def verify_run(
    folder: Path,
    *,
    round: int | None = None,
    independent: bool = False,
    watch: Watch = lambda _what: None,
) -> Report:
    """Check every file of a run's checkpoints, the chain that they form, the logs, and the clients' states.

    Of a run with proofs also the evidence of its rounds: files, chain, proofs, sums, and that each model follows.

    Args:
        folder: the run directory.
        round: check only this round and the first checkpoint that covers it; all of them if it is not given.
        independent: verify proofs a second time, by another library.
        watch: told what is being checked.

    Raises:
        ConfigError: if `folder` is no run directory, no checkpoint covers `round`, there are no proofs to verify a
            second time, or a library that verifies proofs is not installed.
    """
    store.read_config(folder)
    pairs = read_pairs(folder)
    recipe = planned(folder)
    has_evidence = evidence.is_kept(folder, pairs) or (not isinstance(recipe, Finding) and recipe.has_proofs)
    if independent and not has_evidence:
        raise ConfigError(
            f"{folder} keeps no proofs to verify a second time.", hint="Leave out --independent."
        )
    chosen = pairs if round is None else covering(pairs, round)
    watch("the checkpoints")
    intact: list[Link] = []
    findings = [*_checkpoints(folder, chosen, intact, with_the_one_before=has_evidence)]
    last = pairs[-1].link if pairs else None
    if has_evidence:
        kept = evidence.kept_rounds(folder)
        rounds = _rounds(chosen) if round is not None else _all(kept, last)
        proved = rounds if round is None else [round]
        wanted = Wanted(chosen, intact, rounds, proved, independent)
        findings += checked_rounds(folder, wanted, recipe, watch)
        if round is None:
            findings += evidence.behind(kept, last.round if last else 0)
    limits = not_covered(None if isinstance(recipe, Finding) else recipe, has_evidence=has_evidence)
    return Report(tuple(findings), last and last.digest, last and last.round, limits)


def _rounds(pairs: Sequence[Pair]) -> list[int]:
    """The rounds that lead to checkpoints."""
    before, link = pairs[0].before, pairs[-1].link
    return [*range(before.round + 1 if before else 1, link.round + 1)]


def _all(kept: Sequence[int], last: Link | None) -> list[int]:
    return sorted({*range(1, (last.round if last else 0) + 1), *kept})


def _checkpoints(
    folder: Path, pairs: list[Pair], intact: list[Link], *, with_the_one_before: bool
) -> Iterator[Finding]:
    """The findings on checkpoints, logs and clients' states; those whose files are intact are added to `intact`."""
    if not pairs:
        place = store.CHECKPOINTS
        sentence = (
            f"{place} holds none: the run was stopped before its first checkpoint, or they were removed."
        )
        yield Finding(WHAT, None, place, holds=False, sentence=sentence)
    known = {store.checkpoint_folder(folder, round).name for round in store.finished_rounds(folder)}
    yield from checked_names(folder, store.CHECKPOINTS, known)
    links = [pair.link for pair in pairs]
    if with_the_one_before and pairs and pairs[0].before is not None:
        links = [pairs[0].before, *links]
    for link in links:
        found = [*checked_files(folder, link)]
        yield from found
        intact += [link] if all(finding.holds for finding in found) else []
    for pair in pairs:
        yield from checked_chain(folder, pair)
    yield from checked_evidence(folder, pairs)
    yield from checked_logs(folder, pairs)
    seen: set[StoredTree] = set()
    for link in intact:
        yield from checked_clients(folder, link, seen)
