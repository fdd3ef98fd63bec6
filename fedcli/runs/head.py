"""The head of a run, in a form to publish: the digest of its last checkpoint, the server's signature, the keys."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

from fedcli.core.errors import ConfigError, RunError
from fedcli.crypto.ed25519 import SIGNATURE_BYTES, head_message, is_signed
from fedcli.runs.identities import PublicKeys, parse_public_keys, read_public_keys
from fedcli.store import checkpoints, directory
from fedcli.store.files import canonical_json, guarded, limits, manifests


class SignedHead(NamedTuple):
    """A head that the server of a run signed.

    Args:
        run: the name of the run.
        round: the round of the checkpoint.
        head: the digest of its manifest, in hexadecimal.
    """

    run: str
    round: int
    head: str


class Published(NamedTuple):
    """What was published of a run.

    Args:
        keys: the public keys of its parties.
        signed: the head; None if only keys were published.
    """

    keys: PublicKeys
    signed: SignedHead | None


def read_head(folder: Path) -> dict[str, Any]:
    """The head of a run as JSON values: `run`, `round`, `head`, `signature` and `keys`; null where a run has none.

    Raises:
        ConfigError: if `folder` is not a run directory, or has no checkpoint.
        RunError: if the manifest, the signature or the keys are damaged.
    """
    directory.read_config(folder)
    rounds = directory.finished_rounds(folder)
    if not rounds:
        raise ConfigError(
            f"{folder} has no checkpoint, and so no head.", hint="Resume it with `fedcli run --resume`."
        )
    checkpoint = directory.checkpoint_folder(folder, rounds[-1])
    keys, signature = read_public_keys(folder), None
    if keys is not None:
        path = checkpoint / checkpoints.SIGNATURE
        content = guarded.read_bytes(path, below=folder, limit=SIGNATURE_BYTES)
        signature = content.hex()
    return {
        "run": directory.read_run(folder),
        "round": rounds[-1],
        "head": manifests.read(checkpoint).digest,
        "signature": signature,
        "keys": None if keys is None else keys.in_hexadecimal(),
    }


def read_published(path: Path) -> Published:
    """What `read_head` returned, from a file; or the keys alone.

    Raises:
        ValueError: if it is neither, or the server's key did not sign the head; the message continues a sentence that
            begins with the file.
    """
    try:
        content = guarded.read_bytes(path, below=path.parent, limit=limits.JSON)
    except RunError as error:
        raise ValueError(str(error).removeprefix(f"{path} ").removesuffix(".")) from None
    said = canonical_json.parse_object(content)
    if "keys" not in said:
        return Published(parse_public_keys(said), None)
    run, round, head = said.get("run"), said.get("round"), said.get("head")
    if not isinstance(run, str) or type(round) is not int or not isinstance(head, str):
        raise ValueError("does not name a run, a round and its head")
    keys, signature = parse_public_keys(said["keys"]), said.get("signature")
    try:
        is_by_server = is_signed(
            keys.server, head_message(bytes.fromhex(head)), bytes.fromhex(signature or "")
        )
    except (TypeError, ValueError):
        is_by_server = False
    if not is_by_server:
        raise ValueError("does not have the signature of its head by the server whose key it has")
    return Published(keys, SignedHead(run, round, head))
