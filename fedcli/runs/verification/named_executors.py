"""Says which checkpoints name another executor than the config."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from fedcli.runs.other_executor import KEY
from fedcli.runs.verification.chain_links import Pair
from fedcli.runs.verification.report import Finding
from fedcli.store import directory

WHAT = "executors"


def named_executors(pairs: Sequence[Pair]) -> Iterator[Finding]:
    """A note for each change of the executor: the chain binds its name, and nobody can check it afterwards.

    Args:
        pairs: the checkpoints.
    """
    before = None
    for _, link in pairs:
        if link.manifest is None:
            continue
        said = link.manifest.facts.get(KEY)
        if said is not None and not isinstance(said, str):
            sentence = f"{link.file} names the executor {str(said)[:40]}, which is not a name."
            yield Finding(WHAT, link.round, link.file, holds=False, sentence=sentence)
            return
        if said != before:
            now = f"the executor of {directory.CONFIG}" if said is None else f"executor {said[:80]}"
            verb = "went on" if link.round else "began"
            sentence = f"the run {verb} with {now} before the checkpoint of round {link.round}."
            yield Finding(WHAT, link.round, link.file, sentence=sentence)
        before = said
