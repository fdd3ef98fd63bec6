"""Whether the files of proofs are those that the checkpoints bind, and none is missing or added."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from fedcli import evidence
from fedcli.core.manifests import Manifest
from fedcli.verification.files import checked_files, strangers
from fedcli.verification.links import Pair, read_link
from fedcli.verification.report import Finding

WHAT = "files of proofs"


def checked_evidence(run: Path, pairs: list[Pair]) -> Iterator[Finding]:
    """The folder of every round that a checkpoint binds, and those that none binds though it should."""
    kept = {evidence.round_folder(run, round).name: round for round in evidence.rounds(run / evidence.FOLDER)}
    yield from strangers(run, evidence.FOLDER, kept, what=WHAT)
    for pair in pairs:
        if pair.link.manifest is not None:
            yield from _checked(run, pair, pair.link.manifest, set(kept.values()))


def _checked(run: Path, pair: Pair, manifest: Manifest, kept: set[int]) -> Iterator[Finding]:
    """The rounds from the checkpoint before to this one."""
    bound = _bound(manifest)
    if bound is None:
        yield _broken(pair.link.file, pair.link.round, "does not say which proofs it binds")
        return
    first = pair.before.round + 1 if pair.before else 1
    for round in sorted(kept | bound.keys()):
        folder = evidence.round_folder(run / evidence.FOLDER, round)
        if first <= round <= pair.link.round and round not in bound:
            place = folder.relative_to(run).as_posix()
            yield _broken(
                place, round, f"is bound by no checkpoint, though that of round {pair.link.round} follows"
            )
        elif round in bound:
            yield from _folder(run, folder, round, bound[round])


def _bound(manifest: Manifest) -> dict[int, object] | None:
    """The digests that a checkpoint binds, by their rounds; None if it does not say it as the store does."""
    names = manifest.facts.get("proofs", {})
    if not isinstance(names, dict) or not all(re.fullmatch(r"round-[0-9]{5,9}", name) for name in names):
        return None
    return {int(name.removeprefix("round-")): digest for name, digest in names.items()}


def _folder(run: Path, folder: Path, round: int, expected: object) -> Iterator[Finding]:
    link = read_link(run, folder, round=round, format=evidence.FORMAT)
    yield from checked_files(run, link, what=WHAT, required=())
    if link.manifest is not None and link.digest != expected:
        yield _broken(link.file, round, "is not the manifest that the checkpoint binds")


def _broken(file: str, round: int, reason: str) -> Finding:
    return Finding(WHAT, round, file, holds=False, sentence=f"{file} {reason}.")
