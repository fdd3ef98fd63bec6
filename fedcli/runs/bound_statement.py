"""The privacy statement of a run, if it is the one that the run's last checkpoint binds."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from fedcli.core.errors import RunError
from fedcli.runs.run_directory import read_statement
from fedcli.store import directory
from fedcli.store.files import guarded, limits, manifests
from fedcli.store.files.guarded import FileRefused


def read_bound_statement(folder: Path) -> dict[str, Any]:
    """The content of privacy.json.

    Runs of earlier versions do not bind it; theirs is returned as it is.

    Raises:
        ConfigError: if there is none, with the reason.
        RunError: if it is not what the run wrote.
    """
    rounds = directory.finished_rounds(folder)
    checkpoint = directory.checkpoint_folder(folder, rounds[-1]) if rounds else None
    manifest = manifests.read(checkpoint) if checkpoint else None
    if checkpoint is None or manifest is None or directory.PRIVACY not in manifest.files:
        return read_statement(folder)
    # The checkpoint's own copy: the other is older for a moment while a run goes on, and after one that was killed.
    content = manifests.content(checkpoint, manifest, directory.PRIVACY)
    copy = folder / directory.PRIVACY
    before = directory.checkpoint_folder(folder, rounds[-2]) if len(rounds) > 1 else None
    known = {manifest.files[directory.PRIVACY]}
    known |= {manifests.read(before).files.get(directory.PRIVACY, "")} if before else set()
    try:
        found = guarded.sha256(copy, below=folder, limit=limits.JSON)
    except FileRefused as error:
        if not error.is_missing or before is not None:
            raise RunError(f"{error}\nRestore it from {checkpoint / directory.PRIVACY}.") from None
    else:
        if found not in known:
            raise RunError(
                f"{copy} is not the file that the run wrote: its SHA-256 begins with {found[:16]}, and the checkpoint "
                f"of round {rounds[-1]} names {manifest.files[directory.PRIVACY][:16]}.\n"
                f"Restore it from {checkpoint / directory.PRIVACY}."
            )
    return dict(json.loads(content))
