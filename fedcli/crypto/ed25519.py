"""Ed25519 signatures, and the keys of all parties of a simulation, derived from one secret."""

from __future__ import annotations

import hmac
from collections.abc import Iterable
from hashlib import sha256
from typing import final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

KEY_BYTES, SIGNATURE_BYTES = 32, 64
_FIELD = 2**255 - 19
_CURVE_D = -121665 * pow(121666, -1, _FIELD) % _FIELD
HEAD_LABEL = b"fedcli head 2\n"
STATEMENTS_LABEL = b"fedcli client 2\n"
"""First bytes of what is signed, so that no signature holds for something else."""


@final
class KeyRing:
    """The keys of a server and of any number of numbered clients.

    In a deployment each party makes its own. In a simulation one process holds all of them, and a resumed run must
    have the same, so they are derived from one secret.

    Args:
        secret: 32 bytes of the operating system's randomness.
    """

    def __init__(self, secret: bytes) -> None:
        self._secret = secret

    def __repr__(self) -> str:
        return "KeyRing(<secret>)"

    @property
    def server(self) -> bytes:
        """The server's private key."""
        return self._derived(b"server")

    def private_key(self, client: int) -> bytes:
        """A client's private key."""
        return self._derived(b"client %d" % client)

    def public_key(self, client: int) -> bytes:
        """A client's public key."""
        return public_of(self.private_key(client))

    def _derived(self, name: bytes) -> bytes:
        return hmac.digest(self._secret, b"fedcli signing key\n" + name, "sha256")


def public_of(private: bytes) -> bytes:
    """The public key of a private one, 32 bytes each."""
    return Ed25519PrivateKey.from_private_bytes(private).public_key().public_bytes_raw()


def sign(private: bytes, message: bytes) -> bytes:
    """The signature of a message, 64 bytes; the same for the same message.

    Reference: RFC 8032, Ed25519 without a context.
    """
    return Ed25519PrivateKey.from_private_bytes(private).sign(message)


def is_key(public: bytes) -> bool:
    """Whether 32 bytes can be somebody's public key: the canonical encoding of a y that is no point of small order.

    Whether there is a point with that y shows when a signature is verified.
    """
    y = int.from_bytes(public, "little") & (2**255 - 1)
    if len(public) != KEY_BYTES or y >= _FIELD:
        return False
    # With such a key one signature holds for many messages, and nobody has a secret. Orders 1, 2 and 4 have a y of
    # 1, -1 and 0. Twice a point has y^2 + x^2 as its y but for a divisor, which is 0 for those of order 8: then
    # x^2 = -y^2, and the equation of the curve, -x^2 + y^2 = 1 + d x^2 y^2, is the one below.
    return y not in (0, 1, _FIELD - 1) and (_CURVE_D * y**4 + 2 * y**2 - 1) % _FIELD != 0


def is_signed(public: bytes, message: bytes, signature: bytes) -> bool:
    """Whether a signature of a message holds, by a key that somebody can have."""
    if not is_key(public):
        return False
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, message)
    # A ValueError is a key of another length.
    except (InvalidSignature, ValueError):
        return False
    return True


def statements_message(statements: Iterable[tuple[bytes, bytes]]) -> bytes:
    """What a client signs: for each of its statements, the SHA-256 of the context and of the commitment."""
    return STATEMENTS_LABEL + b"".join(
        sha256(part).digest() for statement in statements for part in statement
    )


def head_message(digest: bytes) -> bytes:
    """What a server signs: the SHA-256 of a checkpoint's manifest."""
    return HEAD_LABEL + digest
