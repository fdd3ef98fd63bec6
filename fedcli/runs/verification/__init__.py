"""Verifies a run directory from its files alone. Nothing in it is executed or unpickled."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from fedcli.core.errors import ConfigError
from fedcli.runs.identities import PublicKeys
from fedcli.runs.kept_checkpoints import planned_retention
from fedcli.runs.verification import evidence
from fedcli.runs.verification.beside_a_run import settled
from fedcli.runs.verification.chain import WHAT, checked_chain
from fedcli.runs.verification.chain_links import Link, Pair, covering, read_pairs
from fedcli.runs.verification.clients import WHAT as STATES
from fedcli.runs.verification.clients import checked_clients
from fedcli.runs.verification.ended_clients import WHAT as TIME
from fedcli.runs.verification.ended_clients import checked_time_limits
from fedcli.runs.verification.extensions import WHAT as EXTENSIONS
from fedcli.runs.verification.extensions import checked_extensions
from fedcli.runs.verification.files import WHAT as FILES
from fedcli.runs.verification.files import checked_files, checked_names
from fedcli.runs.verification.logs import WHAT as LOGS
from fedcli.runs.verification.logs import checked_logs
from fedcli.runs.verification.model_file import WHAT as MODEL
from fedcli.runs.verification.model_file import checked_model_file
from fedcli.runs.verification.models import num_weights
from fedcli.runs.verification.named_executors import WHAT as EXECUTORS
from fedcli.runs.verification.named_executors import named_executors
from fedcli.runs.verification.not_covered import not_covered
from fedcli.runs.verification.outcome_files import WHAT as OUTCOME
from fedcli.runs.verification.outcome_files import checked_outcome
from fedcli.runs.verification.plan_checks import checked_plan
from fedcli.runs.verification.planned_run import WHAT as PLAN
from fedcli.runs.verification.planned_run import Recipe, planned, plans_proofs
from fedcli.runs.verification.progress import checked_progress
from fedcli.runs.verification.proof_rounds import Wanted, Watch, checked_rounds
from fedcli.runs.verification.protocols import not_bound
from fedcli.runs.verification.recomputed_statements import checked_statements, checked_top_level
from fedcli.runs.verification.report import NEXT, CheckCount, Finding, VerificationReport, skipped
from fedcli.runs.verification.secret_files import WHAT as SECRETS
from fedcli.runs.verification.secret_files import checked_secrets
from fedcli.runs.verification.shielded import failed, shielded
from fedcli.runs.verification.signers import (
    KEYS_UNKNOWN,
    UNSIGNED,
    checked_heads,
    checked_keys,
    checked_published,
    read_keys,
)
from fedcli.runs.verification.stamped_head import checked_timestamp
from fedcli.runs.verification.stated_files import checked_stated_files
from fedcli.store import directory
from fedcli.store.stored_tree import StoredTree

__all__ = ["CheckCount", "Finding", "VerificationReport", "Watch", "verify_run"]


def verify_run(
    folder: Path,
    *,
    round: int | None = None,
    independent: bool = False,
    watch: Watch = lambda _what: None,
    keys: Path | None = None,
    tsa_certificates: Path | None = None,
) -> VerificationReport:
    """Check the files of a run's checkpoints, their chain, the logs, and the clients' states.

    If the run has proofs, check also that they hold, that the sums open the commitments, and that each model follows.

    Args:
        folder: the run directory.
        round: check only this round and the first checkpoint after it; all rounds if it is None.
        independent: verify proofs a second time, with another library.
        watch: receives what is being checked.
        keys: a file with the published keys and head, as `fedcli head --json` prints them; None without one.
        tsa_certificates: a PEM file with the roots of the authority that signed head.tsr; None without one.

    Raises:
        ConfigError: if `keys` or certificates cannot be read, `folder` is not a run directory, no checkpoint covers
            `round`, there are no proofs to verify a second time, or a library that verifies proofs is not installed.
    """
    directory.read_config(folder)

    def look() -> VerificationReport:
        try:
            return _verified(folder, round, independent, watch, keys=keys, tsa_certificates=tsa_certificates)
        except ConfigError:
            raise
        except Exception as error:  # noqa: BLE001 - what ends all checks is what is wrong with the directory
            return VerificationReport((failed(folder, WHAT, error),), None, None)

    return settled(folder, look)


def _verified(
    folder: Path,
    round: int | None,
    independent: bool,
    watch: Watch,
    *,
    keys: Path | None,
    tsa_certificates: Path | None,
) -> VerificationReport:
    pairs = read_pairs(folder, planned_retention(folder))
    kept = evidence.is_kept(folder, pairs)
    has_proofs = plans_proofs(folder, otherwise=kept)
    if independent and not has_proofs:
        raise ConfigError(
            f"{folder} keeps no proofs to verify a second time.", hint="Leave out --independent."
        )
    chosen = pairs if round is None else covering(pairs, round)
    watch("the files")
    # A step from one checkpoint to the next needs both.
    first = [pair.before for pair in chosen[:1] if pair.before and has_proofs]
    own = read_keys(folder)
    findings, intact = _files(folder, chosen, [*first, *(pair.link for pair in chosen)])
    if round is None:
        findings += shielded(folder, FILES, checked_stated_files(folder, pairs))
        findings += shielded(folder, FILES, checked_top_level(folder))
        findings += shielded(folder, SECRETS, checked_secrets(folder))
        findings += shielded(folder, TIME, checked_time_limits(folder))
        stamp = checked_timestamp(folder, pairs[-1].link.digest if pairs else None, tsa_certificates)
        findings += stamp
        behind = evidence.checked_behind(folder, pairs[-1].link.round if pairs else 0)
        findings += shielded(folder, evidence.WHAT, behind)
    recipe, last = None, pairs[-1].link if pairs else None
    # A run with another encryption.json is planned all the same: nothing is read from it.
    if all(finding.holds for finding in findings if finding.file in directory.ALWAYS_BOUND):
        recipe = planned(folder)
    if isinstance(recipe, Recipe):
        # Of runs without proofs too: no run has a config that `run` refuses.
        findings += shielded(folder, PLAN, checked_plan(folder, recipe, intact, is_kept=kept))
        if round is None:
            findings += shielded(folder, PLAN, checked_statements(folder, recipe, last))
            findings += shielded(folder, OUTCOME, checked_outcome(folder, recipe.experiment))
            findings += shielded(folder, EXTENSIONS, checked_extensions(folder, recipe, pairs))
            findings += shielded(folder, EXECUTORS, named_executors(pairs))
            findings += shielded(folder, MODEL, checked_model_file(folder, recipe.experiment))
        wanted = _wanted(chosen, intact, findings, round, independent)
        findings += shielded(folder, NEXT, checked_rounds(folder, wanted, recipe, watch))
        if round is None and last is not None:
            findings += checked_progress(recipe, last.round, findings)
    else:
        findings += [] if recipe is None else [recipe]
        why = "config.yaml and environment.json are not what the run wrote, or cannot be used"
        findings.append(skipped(NEXT, directory.CONFIG, "the plan, the proofs and the models", why))
    if round is not None:
        rest = (
            "the other rounds, and whether config.yaml, environment.json, encryption.json, privacy.json and the other "
            "files at the top are the run's"
        )
        findings.append(skipped(NEXT, directory.CHECKPOINTS, rest, f"only round {round} was asked for"))
    if not isinstance(own, Finding):
        if has_proofs:
            findings += checked_keys(folder, own)
        findings += checked_heads(folder, [pair.link for pair in chosen if pair.link.manifest], own)
        # After the plan, which is not read where anything is wrong with environment.json itself.
        findings += checked_published(folder, keys, [pair.link for pair in pairs], own)
    elif all(finding.holds for finding in findings if finding.file == own.file):
        findings.append(own)
    limits = not_covered(
        recipe if isinstance(recipe, Recipe) else None,
        has_proofs=has_proofs,
        num_pruned=sum(pair.link.is_pruned for pair in chosen),
        # Only intact checkpoints: their content is as the run wrote it.
        size=num_weights(intact),
    )
    limits = (*limits, *(not_bound(folder) if has_proofs else ()))
    limits = (*limits, *((KEYS_UNKNOWN,) if keys is None and isinstance(own, PublicKeys) else ()))
    limits = (*limits, *((UNSIGNED,) if has_proofs and own is None else ()))
    return VerificationReport(tuple(findings), last and last.digest, last and last.round, limits)


def _wanted(
    pairs: list[Pair], intact: list[Link], findings: list[Finding], only: int | None, independently: bool
) -> Wanted:
    damaged = {finding.round for finding in findings if finding.what == evidence.WHAT and not finding.holds}
    has_logs = all(finding.holds for finding in findings if finding.what == LOGS)
    return Wanted(pairs, intact, damaged, has_logs, only, independently)


def _files(folder: Path, pairs: list[Pair], links: list[Link]) -> tuple[list[Finding], list[Link]]:
    """Findings about files, chain and logs, and the checkpoints whose files are as they were written."""
    findings = [*shielded(folder, WHAT, _checkpoints(folder, pairs))]
    intact = []
    for link in links:
        found = [*shielded(folder, FILES, checked_files(folder, link))]
        findings += found
        # Without its files, a model cannot be checked any further.
        intact += [link] if all(finding.holds for finding in found) and not link.is_pruned else []
    for pair in pairs:
        findings += shielded(folder, WHAT, checked_chain(folder, pair))
    findings += shielded(folder, evidence.WHAT, evidence.checked_evidence(folder, pairs))
    findings += shielded(folder, LOGS, checked_logs(folder, pairs))
    # Many checkpoints refer to the state of a client that has not taken part since; it is hashed once.
    seen: set[StoredTree] = set()
    for link in intact:
        findings += shielded(folder, STATES, checked_clients(folder, link, seen))
    return findings, intact


def _checkpoints(folder: Path, pairs: list[Pair]) -> Iterator[Finding]:
    if not pairs:
        place = directory.CHECKPOINTS
        sentence = (
            f"{place} is empty: the run stopped before its first checkpoint, or the checkpoints were removed."
        )
        yield Finding(WHAT, None, place, holds=False, sentence=sentence)
    yield from checked_names(folder)
