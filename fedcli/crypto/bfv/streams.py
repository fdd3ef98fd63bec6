"""Conversion between SEAL objects and arrays of coefficients.

SEAL's Python wrapper has no access to coefficients, which key generation and decryption by a committee need. The byte
layout is that of SEAL 4's `Serialization`, `Ciphertext::save_members` and `Plaintext::save_members`: little-endian,
with a header of 16 bytes before every object. Coefficients are 64-bit words below their prime, of shape
[polynomials, primes, N] for ciphertexts and public keys, [primes, N] for secret keys, [N] for plaintexts.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import numpy.typing as npt

from fedcli.crypto.bfv.errors import CiphertextError
from fedcli.crypto.bfv.seal import HEADER_BYTES, Ring, SealObject, Words, library, scratch

SEED_BYTES = 64

_CIPHERTEXT_HEAD = 97  # bytes before the words of a ciphertext, without SEAL's first header
_PLAINTEXT_HEAD = 72
_SEED_TAIL = 81  # a header, the kind of generator, the seed
_BLAKE2XB = 1  # SEAL's number for its default generator


def ciphertexts(ring: Ring, rows: Iterable[Sequence[Words] | Words]) -> Iterator[SealObject]:
    """SEAL ciphertexts from their polynomials, 2 to 16 each, of shape [data primes, N]."""
    with scratch() as file:
        for polynomials in rows:
            head = _ciphertext_head(ring, len(polynomials), ring.data_primes)
            yield file.load(library().Ciphertext(), ring.context, head, *map(words_bytes, polynomials))


def seeded_ciphertexts(
    ring: Ring, rows: Iterable[Words], seeds: Iterable[memoryview]
) -> Iterator[SealObject]:
    """Fresh symmetric ciphertexts from first polynomials, shape [data primes, N], and the seeds of the second ones."""
    tail = _header(1 + SEED_BYTES) + bytes([_BLAKE2XB])
    with scratch() as file:
        for words, seed in zip(rows, seeds, strict=True):
            head = _ciphertext_head(ring, 2, ring.data_primes, seeded=True)
            yield file.load(library().Ciphertext(), ring.context, head, words_bytes(words), tail, seed)


def plaintexts(ring: Ring, rows: Iterable[Words]) -> Iterator[SealObject]:
    """SEAL plaintexts from coefficients modulo t, each of shape [N]."""
    with scratch() as file:
        for words in rows:
            # The level 0, 0, 0, 0 says that the plaintext is not in the NTT domain.
            head = _plaintext_head([0, 0, 0, 0], words.size)
            yield file.load(library().Plaintext(), ring.context, head, words_bytes(words))


def ciphertext_words(ring: Ring, encrypted: Iterable[SealObject], num_polynomials: int) -> Words:
    """All polynomials of SEAL ciphertexts, shape [num_polynomials, data primes, N]."""
    shape = (len(ring.data_primes), ring.degree)
    words, filled = np.empty((num_polynomials, *shape), "<u8"), 0
    with scratch() as file:
        for one in encrypted:
            size = one.size()
            body = file.body_of(one, _CIPHERTEXT_HEAD + 8 * size * math.prod(shape))
            _fill(words[filled : filled + size], body[_CIPHERTEXT_HEAD:])
            filled += size
    return words.astype(np.uint64, copy=False)


def seeded_words(ring: Ring, encrypted: Iterable[SealObject], count: int) -> tuple[Words, bytes]:
    """The first polynomials of seeded ciphertexts, shape [count, data primes, N], and the seeds of the second ones.

    Raises:
        CiphertextError: if a ciphertext has no seed.
    """
    words = np.empty((count, len(ring.data_primes), ring.degree), "<u8")
    end = _CIPHERTEXT_HEAD + words[0].nbytes
    seeds = []
    with scratch() as file:
        for row, one in enumerate(encrypted):
            body = file.body_of(one, end + _SEED_TAIL)
            if body.size != end + _SEED_TAIL or body[-SEED_BYTES - 1] != _BLAKE2XB:
                raise CiphertextError("SEAL saved a ciphertext without a seed.")
            _fill(words[row], body[_CIPHERTEXT_HEAD:end])
            seeds.append(body[-SEED_BYTES:].tobytes())
    return words.astype(np.uint64, copy=False), b"".join(seeds)


def plaintext_words(ring: Ring, decrypted: Iterable[SealObject], count: int) -> Words:
    """The coefficients of plaintexts modulo t, shape [count, N]."""
    words = np.zeros((count, ring.degree), "<u8")
    with scratch() as file:
        for row, one in enumerate(decrypted):
            body = file.body_of(one, _PLAINTEXT_HEAD + words[row].nbytes)
            # SEAL leaves out trailing zeros, so the rest of the row stays zero.
            _fill(words[row, : one.coeff_count()], body[_PLAINTEXT_HEAD:])
    return words.astype(np.uint64, copy=False)


def factor(ring: Ring, words: Words) -> SealObject:
    """A plaintext that multiplies ciphertexts in the NTT domain, from words of shape [data primes, N]."""
    head = _plaintext_head(ring.context.first_parms_id(), words.size)
    with scratch() as file:
        return file.load(library().Plaintext(), ring.context, head, words_bytes(words))


def public_key(ring: Ring, words: Words) -> SealObject:
    """A SEAL public key, from words of shape [2, primes, N] in the NTT domain."""
    head = _ciphertext_head(ring, 2, ring.primes, ntt=True)
    with scratch() as file:
        return file.load(library().PublicKey(), ring.context, head, words_bytes(words))


def secret_key(ring: Ring, words: Words) -> SealObject:
    """A SEAL secret key, from words of shape [primes, N] in the NTT domain."""
    head = _plaintext_head(ring.context.key_parms_id(), words.size)
    with scratch() as file:
        return file.load(library().SecretKey(), ring.context, head, words_bytes(words))


def secret_words(ring: Ring, key: SealObject) -> Words:
    """The polynomial of a SEAL secret key, shape [primes, N], in the NTT domain."""
    words = np.empty((len(ring.primes), ring.degree), "<u8")
    with scratch() as file:
        _fill(words, file.body_of(key, _PLAINTEXT_HEAD + words.nbytes)[_PLAINTEXT_HEAD:])
    return words.astype(np.uint64, copy=False)


def words_bytes(words: Words) -> memoryview:
    """Words in little-endian order, without a copy on a little-endian machine."""
    return np.ascontiguousarray(words, "<u8").data.cast("B")


def _fill(words: Words, body: npt.NDArray[np.uint8]) -> None:
    """Copy a stream's bytes into contiguous words."""
    # Not a view: after a head of odd length the bytes are not aligned.
    if body.size != words.nbytes:
        raise CiphertextError("SEAL saved an object of another size than expected.")
    words.reshape(-1).view(np.uint8)[:] = body


def _ciphertext_head(
    ring: Ring, size: int, primes: tuple[int, ...], *, ntt: bool = False, seeded: bool = False
) -> bytes:
    """The bytes before the words of a SEAL ciphertext."""
    # A seeded ciphertext has the words of its first polynomial only.
    count = (1 if seeded else size) * len(primes) * ring.degree
    tail = _SEED_TAIL if seeded else 0
    level = ring.context.first_parms_id() if primes == ring.data_primes else ring.context.key_parms_id()
    fields = struct.pack("<4Q?QQQdQ", *level, ntt, size, ring.degree, len(primes), 1.0, 1)
    return (
        _header(_CIPHERTEXT_HEAD + 8 * count + tail)
        + fields
        + _header(8 + 8 * count)
        + struct.pack("<Q", count)
    )


def _plaintext_head(level: list[int], count: int) -> bytes:
    """The bytes before the `count` words of a SEAL plaintext."""
    fields = struct.pack("<4QQd", *level, count, 1.0)
    return _header(_PLAINTEXT_HEAD + 8 * count) + fields + _header(8 + 8 * count) + struct.pack("<Q", count)


def _header(size: int) -> bytes:
    """SEAL's header of an uncompressed object of `size` bytes that follow."""
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
