"""What the parties of a run agreed to before its first round, as its directory says."""

from __future__ import annotations

from pathlib import Path

from fedcli.components.proofs.context import FIRST_PROTOCOL, PROTOCOL
from fedcli.core.errors import RunError
from fedcli.store import directory
from fedcli.store.files import canonical_json, guarded, limits, manifests
from fedcli.store.files.guarded import FileRefused


def protocol_of(folder: Path) -> int:
    """The version of the protocol by which the run's proofs and signatures are made.

    Raises:
        RunError: if environment.json is damaged, or names a version that is not known.
    """
    try:
        content = guarded.read_bytes(folder / directory.ENVIRONMENT, below=folder, limit=limits.JSON)
        # Runs of protocol 1 do not name it.
        protocol = canonical_json.parse_object(content).get("protocol", FIRST_PROTOCOL)
    except ValueError as error:
        raise RunError(f"{directory.ENVIRONMENT} {error}.") from None
    if type(protocol) is not int or protocol not in (FIRST_PROTOCOL, PROTOCOL):
        raise RunError(
            f"{directory.ENVIRONMENT} names protocol {str(protocol)[:40]}; "
            f"this version of fedcli knows {FIRST_PROTOCOL} and {PROTOCOL}."
        )
    return protocol


def require_unchanged(folder: Path) -> None:
    """Refuse to go on with a run whose files are not those that it began with.

    Raises:
        ConfigError: if `folder` is not a run directory.
        RunError: if a file is not the one that the first checkpoint binds.
    """
    directory.read_config(folder)
    require_bound(folder, *directory.ALWAYS_BOUND, directory.MODEL)


def require_bound(folder: Path, *names: str) -> None:
    """Refuse files at the top of a run directory that are not those that the run began with.

    Raises:
        RunError: if one is not the one that the first checkpoint binds, or was added.
    """
    first = directory.checkpoint_folder(folder, 0)
    # A run that was killed before its first checkpoint has bound nothing yet.
    if not directory.finished_rounds(folder):
        return
    try:
        bound = manifests.read(first).facts.get("run")
    except FileRefused as error:
        raise RunError(
            f"{error}\nIt says which files the run began with. Restore it, or start a new run from the weights of a "
            "later checkpoint."
        ) from None
    if isinstance(bound, dict):
        for name in names:
            _require_one(folder, name, bound.get(name))


def _require_one(folder: Path, name: str, digest: object) -> None:
    if digest is None and name not in directory.ALWAYS_BOUND:
        # Older runs do not have it.
        added = guarded.exists(folder / name, below=folder)
        fault = "is not a file that the run wrote: no checkpoint binds it" if added else None
        remedy = "Remove the file."
    else:
        fault = guarded.fault(folder / name, str(digest), below=folder, limit=limits.JSON)
        remedy = (
            "Restore the file: clients go on only under the config that they agreed to. For another config, start a "
            "new run."
            if name in directory.ALWAYS_BOUND
            else "Restore the file: without it nobody knows what the model's inputs and outputs mean."
        )
    if fault is not None:
        raise RunError(f"{folder / name} {fault}.\n{remedy}")


def agreed_digest(folder: Path) -> bytes:
    """SHA-256 of the run's config.yaml; empty under protocol 1, which does not bind it."""
    if protocol_of(folder) == FIRST_PROTOCOL:
        return b""
    path = folder / directory.CONFIG
    return bytes.fromhex(guarded.sha256(path, below=folder, limit=limits.CONFIG))
