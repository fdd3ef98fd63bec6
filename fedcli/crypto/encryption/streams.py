"""SEAL's objects as arrays of coefficients, and back.

Layouts follow SEAL 4's `Serialization`, `Ciphertext::save_members` and `Plaintext::save_members`: little-endian, a
header of 16 bytes before every object. Coefficients are words of 64 bits below their prime: shape
[polynomials, primes, N] for ciphertexts and public keys, [primes, N] for secret keys, [N] for plaintexts.
"""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
import numpy.typing as npt

from fedcli.crypto.encryption.errors import CiphertextError
from fedcli.crypto.encryption.seal import HEADER_BYTES, Ring, Words, body_of, library, load

SEED_BYTES = 64

_CIPHERTEXT_HEAD = 97
_PLAINTEXT_HEAD = 72
_SEED_TAIL = 81
_BLAKE2XB = 1


def ciphertext(ring: Ring, words: Words, *, ntt: bool = False) -> Any:
    """A ciphertext of SEAL with the given polynomials, shape [2, data primes, N]."""
    body = _ciphertext_head(ring, len(words), ring.data_primes, words.size, ntt=ntt)
    return load(library().Ciphertext(), ring.context, _with_header(body + words_bytes(words)))


def seeded_ciphertext(ring: Ring, words: Words, seed: bytes) -> Any:
    """A fresh symmetric ciphertext: its first polynomial, shape [data primes, N], and the seed of the second one."""
    head = _ciphertext_head(ring, 2, ring.data_primes, words.size)
    tail = _header(1 + SEED_BYTES) + bytes([_BLAKE2XB]) + seed
    return load(library().Ciphertext(), ring.context, _with_header(head + words_bytes(words) + tail))


def ciphertext_words(ring: Ring, encrypted: Any) -> Words:
    """The polynomials of a ciphertext, shape [2, data primes, N]."""
    shape = (2, len(ring.data_primes), ring.degree)
    body = body_of(encrypted, _CIPHERTEXT_HEAD + 8 * int(np.prod(shape)))
    return _words(body[_CIPHERTEXT_HEAD:], shape)


def seeded_words(ring: Ring, encrypted: Any) -> tuple[Words, bytes]:
    """The first polynomial of a seeded ciphertext, shape [data primes, N], and the seed of the second one."""
    shape = (len(ring.data_primes), ring.degree)
    end = _CIPHERTEXT_HEAD + 8 * int(np.prod(shape))
    body = body_of(encrypted, end + _SEED_TAIL)
    if body.size != end + _SEED_TAIL or body[-SEED_BYTES - 1] != _BLAKE2XB:
        raise CiphertextError("SEAL saved a ciphertext without a seed.")
    return _words(body[_CIPHERTEXT_HEAD:end], shape), body[-SEED_BYTES:].tobytes()


def public_key(ring: Ring, words: Words) -> Any:
    """A public key of SEAL, shape [2, primes, N], in the NTT domain."""
    head = _ciphertext_head(ring, 2, ring.primes, words.size, ntt=True)
    return load(library().PublicKey(), ring.context, _with_header(head + words_bytes(words)))


def secret_key(ring: Ring, words: Words) -> Any:
    """A secret key of SEAL, shape [primes, N], in the NTT domain."""
    body = _plaintext_body(ring.context.key_parms_id(), words)
    return load(library().SecretKey(), ring.context, _with_header(body))


def secret_words(ring: Ring, key: Any) -> Words:
    """The polynomial of a secret key, shape [primes, N], in the NTT domain."""
    shape = (len(ring.primes), ring.degree)
    return _words(body_of(key, _PLAINTEXT_HEAD + 8 * int(np.prod(shape)))[_PLAINTEXT_HEAD:], shape)


def plaintext(ring: Ring, words: Words, *, ntt: bool = False) -> Any:
    """A plaintext: coefficients modulo t, shape [N], or in the NTT domain of ciphertexts, shape [data primes, N]."""
    level = ring.context.first_parms_id() if ntt else [0, 0, 0, 0]
    return load(library().Plaintext(), ring.context, _with_header(_plaintext_body(level, words)))


def _ciphertext_head(
    ring: Ring, size: int, primes: tuple[int, ...], count: int, *, ntt: bool = False
) -> bytes:
    level = ring.context.first_parms_id() if primes == ring.data_primes else ring.context.key_parms_id()
    fields = struct.pack("<4Q?QQQdQ", *level, ntt, size, ring.degree, len(primes), 1.0, 1)
    return fields + _header(8 + 8 * count) + struct.pack("<Q", count)


def _plaintext_body(level: list[int], words: Words) -> bytes:
    head = struct.pack("<4QQd", *level, words.size, 1.0)
    return head + _header(8 + 8 * words.size) + struct.pack("<Q", words.size) + words_bytes(words)


def _with_header(body: bytes) -> bytes:
    return _header(len(body)) + body


def _header(size: int) -> bytes:
    """SEAL's header of an uncompressed object of `size` bytes behind it."""
    version = library().Serialization.SEALHeader()
    return struct.pack(
        "<HBBBBHQ",
        version.magic,
        HEADER_BYTES,
        version.version_major,
        version.version_minor,
        0,
        0,
        HEADER_BYTES + size,
    )


def words_bytes(words: Words) -> memoryview:
    """Words in little-endian order, without a copy where the machine's order is that."""
    return np.ascontiguousarray(words, "<u8").data.cast("B")


def _words(body: npt.NDArray[np.uint8], shape: tuple[int, ...]) -> Words:
    if body.size != 8 * int(np.prod(shape)):
        raise CiphertextError("SEAL saved an object of another size than expected.")
    # A copy: the words stand behind a head of odd length, where they are not aligned.
    return np.frombuffer(body.tobytes(), "<u8").astype(np.uint64, copy=False).reshape(shape)
