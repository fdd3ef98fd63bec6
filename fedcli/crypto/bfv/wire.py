"""The envelope of protected bytes: what they are, for which scheme and key, how long, and a digest.

The digest finds what went wrong on the way. It is no signature: who alters bytes on purpose computes it anew, so
that whatever lies inside is checked as well.
"""

from __future__ import annotations

import hashlib
import struct
from enum import IntEnum
from typing import NamedTuple

from fedcli.crypto.bfv.errors import CiphertextError

_MAGIC = b"CT01"
_HEAD = struct.Struct("<4sB32sQI")
_DIGEST_BYTES = 32

ENVELOPE_BYTES = _HEAD.size + _DIGEST_BYTES


class Kind(IntEnum):
    """What an envelope holds."""

    SEEDED = 1
    FRESH = 2
    SUM = 3
    OPENING = 4
    KEY_SHARE = 5
    PARTIAL = 6
    MASKED = 7
    MASK_SHARE = 8


class Content(NamedTuple):
    """An opened envelope.

    Args:
        num_values: integers that the body stands for.
        num_summands: how many were added to make it.
        body: the bytes themselves.
    """

    num_values: int
    num_summands: int
    body: memoryview


def seal_envelope(
    kind: Kind, fingerprint: bytes, *, num_values: int, num_summands: int, body: bytes | memoryview
) -> bytes:
    """The body in its envelope.

    Args:
        kind: what it is.
        fingerprint: 32 bytes that name the scheme and the key.
        num_values: integers that the body stands for.
        num_summands: how many were added to make it.
        body: any bytes.
    """
    head = _HEAD.pack(_MAGIC, kind, fingerprint, num_values, num_summands)
    digest = hashlib.sha256(head)
    digest.update(body)
    return b"".join((head, body, digest.digest()))


def open_envelope(data: bytes | memoryview, kind: Kind, fingerprint: bytes) -> Content:
    """What is in an envelope.

    Raises:
        CiphertextError: if the bytes are truncated, mutated, of another kind, or made under another scheme or key.
    """
    if len(data) < ENVELOPE_BYTES or data[:4] != _MAGIC:
        raise CiphertextError(f"{len(data)} bytes were received that are no {_noun(kind)}.")
    if hashlib.sha256(memoryview(data)[:-_DIGEST_BYTES]).digest() != data[-_DIGEST_BYTES:]:
        raise CiphertextError(
            f"a {_noun(kind)} was truncated or altered on the way: its digest does not match."
        )
    _, found, made_for, num_values, num_summands = _HEAD.unpack_from(data)
    if found != kind:
        raise CiphertextError(f"a {_noun(kind)} was expected; received kind {found}.")
    if made_for != fingerprint:
        raise CiphertextError(f"a {_noun(kind)} was made under another scheme, key or request.")
    return Content(num_values, num_summands, memoryview(data)[_HEAD.size : -_DIGEST_BYTES])


def digest_of(data: bytes) -> bytes:
    """32 bytes that name an envelope with all that is in it, once `open_envelope` has found them true."""
    return data[-_DIGEST_BYTES:]


def fingerprint(*parts: object) -> bytes:
    """32 bytes that name these parts, which are shown by `repr`, and bytes in full."""
    return hashlib.sha256("\n".join(repr(part) for part in parts).encode()).digest()


def _noun(kind: Kind) -> str:
    return Kind(kind).name.lower().replace("_", " ") + " message"
