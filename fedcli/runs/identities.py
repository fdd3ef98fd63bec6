"""The signing keys of a run's parties: the secret ones of a simulation, and the public ones in environment.json."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from fedcli.core.errors import RunError
from fedcli.crypto.ed25519 import KEY_BYTES, KeyRing, head_message, public_of, sign
from fedcli.engine.setup import Assembly
from fedcli.store import directory, secrets
from fedcli.store.files import canonical_json, guarded, limits


class PublicKeys(NamedTuple):
    """Public keys of 32 bytes.

    Args:
        server: signs the manifest of every checkpoint.
        clients: by number; None in a run without proofs, whose clients have nothing to sign.
    """

    server: bytes
    clients: tuple[bytes, ...] | None

    def in_hexadecimal(self) -> dict[str, Any]:
        """The keys as environment.json has them."""
        clients = self.clients
        return {
            "server": self.server.hex(),
            "clients": None if clients is None else [key.hex() for key in clients],
        }


def public_keys(assembly: Assembly) -> PublicKeys | None:
    """The public keys of an assembly; None without signatures."""
    if not isinstance(assembly.identities, KeyRing):
        return None
    ring = assembly.identities
    # A run without proofs starts without making a key for each of its clients.
    numbers = range(assembly.num_clients) if assembly.leaves_evidence else None
    clients = None if numbers is None else tuple(ring.public_key(client) for client in numbers)
    return PublicKeys(public_of(ring.server), clients)


def signer_of(assembly: Assembly) -> Callable[[bytes], bytes] | None:
    """Digest of a manifest -> the server's signature; None without signatures."""
    ring = assembly.identities
    return (lambda digest: sign(ring.server, head_message(digest))) if isinstance(ring, KeyRing) else None


def identities_of(folder: Path) -> KeyRing | None:
    """The secret keys of a run that is resumed; None if an earlier version began it, which signed nothing.

    Raises:
        RunError: if the run has public keys, and their secret is missing or is another one.
    """
    public = read_public_keys(folder)
    if public is None:
        return None
    secret, path = secrets.read_identities(folder), folder / secrets.FOLDER / secrets.IDENTITIES
    if secret is None:
        raise RunError(
            f"{path} is missing, with which the parties of this run sign.\n"
            "Restore the file, or start a new run from the weights of this one."
        )
    ring = KeyRing(secret)
    if len(secret) != KEY_BYTES or public_of(ring.server) != public.server:
        raise RunError(
            f"{path} does not have the keys that {directory.ENVIRONMENT} names.\nRestore the file."
        )
    return ring


def read_public_keys(folder: Path) -> PublicKeys | None:
    """The public keys in environment.json; None in a run of an earlier version.

    Raises:
        RunError: if they are not keys.
    """
    path = folder / directory.ENVIRONMENT
    content = guarded.read_bytes(path, below=folder, limit=limits.JSON)
    try:
        said = canonical_json.parse_object(content)
        return None if "keys" not in said else parse_public_keys(said["keys"])
    except ValueError as error:
        raise RunError(f"{path} {error}.") from None


def parse_public_keys(said: Any) -> PublicKeys:
    """The keys that `in_hexadecimal` wrote.

    Raises:
        ValueError: if they are not keys; the message continues a sentence that begins with the file.
    """
    if not isinstance(said, dict) or said.keys() != {"server", "clients"}:
        raise ValueError("does not have the public keys of a server and of clients")
    clients = said["clients"]
    if not (clients is None or isinstance(clients, list)):
        raise ValueError("does not have a list of the public keys of clients")
    listed = None if clients is None else tuple(_key(each) for each in clients)
    return PublicKeys(_key(said["server"]), listed)


def _key(text: Any) -> bytes:
    if not isinstance(text, str) or len(text) != 2 * KEY_BYTES or not set(text) <= set("0123456789abcdef"):
        raise ValueError(f"has {str(text)[:40]!r} as a public key")
    return bytes.fromhex(text)
