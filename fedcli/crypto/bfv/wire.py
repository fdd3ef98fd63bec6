"""Envelope of encrypted and masked messages: kind, scheme and key, number of values, and a digest.

The digest detects accidents on the way. It is not a signature: an attacker can compute a new digest, so everything
inside an envelope is checked as well.
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


class MessageKind(IntEnum):
    """Kinds of messages."""

    SEEDED = 1
    FRESH = 2
    SUM = 3
    OPENING = 4
    KEY_SHARE = 5
    PARTIAL = 6
    MASKED = 7
    MASK_SHARE = 8


class Content(NamedTuple):
    """The content of an envelope.

    Args:
        num_values: number of integers that the body encodes.
        num_summands: number of summands in it.
        body: the bytes of the message.
    """

    num_values: int
    num_summands: int
    body: memoryview


def seal_envelope(
    kind: MessageKind, fingerprint: bytes, *, num_values: int, num_summands: int, body: bytes | memoryview
) -> bytes:
    """The body in an envelope.

    Args:
        kind: kind of the message.
        fingerprint: 32 bytes that identify the scheme and the key.
        num_values: number of integers that the body encodes.
        num_summands: number of summands in it.
        body: any bytes.
    """
    head = _HEAD.pack(_MAGIC, kind, fingerprint, num_values, num_summands)
    # The body is hashed and copied once; ciphertexts of a large model are many megabytes.
    digest = hashlib.sha256(head)
    digest.update(body)
    return b"".join((head, body, digest.digest()))


def open_envelope(data: bytes | memoryview, kind: MessageKind, fingerprint: bytes) -> Content:
    """The content of an envelope.

    Raises:
        CiphertextError: if the bytes are truncated, altered, of another kind, or made under another scheme or key.
    """
    if len(data) < ENVELOPE_BYTES or data[:4] != _MAGIC:
        raise CiphertextError(f"{len(data)} bytes were received that are not a {_noun(kind)}.")
    if hashlib.sha256(memoryview(data)[:-_DIGEST_BYTES]).digest() != data[-_DIGEST_BYTES:]:
        raise CiphertextError(
            f"a {_noun(kind)} was truncated or altered on the way: its digest does not match."
        )
    _, found, made_for, num_values, num_summands = _HEAD.unpack_from(data)
    if found != kind:
        raise CiphertextError(f"a {_noun(kind)} was expected; received kind {found}.")
    if made_for != fingerprint:
        raise CiphertextError(f"a {_noun(kind)} was made under another scheme, key or request.")
    # A view, since a copy would double the memory of the largest messages.
    return Content(num_values, num_summands, memoryview(data)[_HEAD.size : -_DIGEST_BYTES])


def digest_of(data: bytes) -> bytes:
    """32 bytes that identify an envelope and its content, if `open_envelope` has accepted it."""
    return data[-_DIGEST_BYTES:]


def fingerprint(*parts: object) -> bytes:
    """32 bytes that identify these parts: a hash of their `repr`."""
    return hashlib.sha256("\n".join(repr(part) for part in parts).encode()).digest()


def _noun(kind: MessageKind) -> str:
    return MessageKind(kind).name.lower().replace("_", " ") + " message"
