"""Checks the secret files of a run, where they are there: whoever is handed a run has none of them.

No manifest has their digests. A digest of noise could confirm a guess of what the noise hides.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from fedcli.core.errors import FedcliError, RunError
from fedcli.runs.data_key import read_data_key
from fedcli.runs.identities import identities_of
from fedcli.runs.verification.report import Finding
from fedcli.store import secrets
from fedcli.store.files import guarded, limits, npz
from fedcli.store.files.durable import is_draft

WHAT = "secret files"
_ARRAYS = re.compile(r"keys\.npz|noise-[0-9]{5,9}\.npz")


def checked_secrets(run: Path) -> Iterator[Finding]:
    """Check that every file in secret/ is whole, and that the keys are those of the run."""
    place = run / secrets.FOLDER
    for name in guarded.names(place, below=run) if guarded.exists(place, below=run) else []:
        file = f"{secrets.FOLDER}/{name}"
        try:
            note = _note(run, name)
        except FedcliError as error:
            reason = str(error).partition("\n")[0].removeprefix(f"{run / file} ")
            yield Finding(WHAT, None, file, holds=False, sentence=f"{file} {reason}")
        else:
            yield Finding(WHAT, None, file, sentence=f"{file} {note}." if note else "")


def _note(run: Path, name: str) -> str:
    """What is to be said of a file that holds, as the end of a sentence.

    Raises:
        FedcliError: if it is damaged.
    """
    path = run / secrets.FOLDER / name
    if name == secrets.IDENTITIES:
        if identities_of(run) is None:
            raise RunError(f"{path} is not a file of the run, which has no keys.")
    elif name == secrets.DATA_KEY:
        if not read_data_key(run).is_bound:
            return "is bound by nothing in this older run, and may have been changed"
    elif _ARRAYS.fullmatch(name):
        content = guarded.read_bytes(path, below=run, limit=limits.BINARY)
        # Its arrays have checksums. What is around them may differ by version, and says nothing.
        npz.read_tree(path, below=run)
        if npz.to_bytes(npz.from_bytes(content)) != content:
            return "has whole arrays, and around them other bytes than this version of fedcli writes"
    elif is_draft(name):
        return "is what a killed process left; the next checkpoint removes it"
    else:
        return "is not a file of the run, and nothing was read from it"
    return ""
