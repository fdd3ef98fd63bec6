"""Microsoft SEAL, arrays in and arrays out, through the extension module `_sealapi_cpp` of the package tenseal.

`import tenseal` is avoided: it exports protobuf's symbols, and beside TensorFlow it crashes the process. The
extension module has none of them and stands alone.

The wrapping lacks access to coefficients. It saves and loads files only, so an object becomes an array by way of an
anonymous file (`Scratch`, one for many objects: a new one each would cost as much as SEAL's own work on some of them).
SEAL compresses what it saves by zstd, whose decoder the extension module exports and ctypes calls.
The other way needs no compression: SEAL loads plain streams, whose heads are written here (`streams.py`). It checks
each of them against the context before use.
"""

from __future__ import annotations

import ctypes
import functools
import io
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any, NamedTuple, final

import numpy as np
import numpy.typing as npt

from fedcli.core.errors import ConfigError
from fedcli.crypto.bfv.errors import CiphertextError

Words = npt.NDArray[np.uint64]

HEADER_BYTES = 16

MOST_PLAIN_BITS = 60
"""SEAL's limit on the plain modulus."""


class Ring(NamedTuple):
    """The polynomial ring of a scheme, with SEAL's context; public.

    Args:
        context: SEAL's tables for these parameters; they passed its check of 128 bits of security.
        degree: N, coefficients of a polynomial and slots of a ciphertext.
        primes: all prime moduli; keys live modulo all of them.
        data_primes: those that ciphertexts live in: all, or all but the last of three.
        plain_modulus: t, a prime.
        scale_bits: plaintexts of SEAL are 2^scale_bits times those modulo t.
    """

    context: Any
    degree: int
    primes: tuple[int, ...]
    data_primes: tuple[int, ...]
    plain_modulus: int
    scale_bits: int


def library() -> ModuleType:
    """The extension module.

    Raises:
        ConfigError: if it is not installed.
    """
    try:
        import _sealapi_cpp
    except ImportError:
        raise ConfigError(
            "homomorphic encryption needs the package tenseal, which is not installed.",
            hint='Install it: pip install "fedcli[encryption]".',
        ) from None
    module: ModuleType = _sealapi_cpp
    return module


@functools.lru_cache(maxsize=16)
def ring(degree: int, prime_bits: tuple[int, ...], plain_bits: int) -> Ring:
    """The ring of these sizes, with the primes that SEAL picks for them.

    SEAL keeps the last of several primes for keys, unless the plain modulus is above the product of the others. With
    two primes it is told a plain modulus of t 2^k, which is above the first one: a message times 2^k stands at the same
    place of a ciphertext, q m / t, and ciphertexts live modulo both primes without the work for a third.

    Raises:
        ConfigError: if SEAL refuses the parameters, for instance because they have less than 128 bits of security.
    """
    seal = library()
    parameters = seal.EncryptionParameters(seal.SCHEME_TYPE.BFV)
    parameters.set_poly_modulus_degree(degree)
    scale_bits = MOST_PLAIN_BITS - plain_bits if len(prime_bits) == 2 else 0
    try:
        parameters.set_coeff_modulus(seal.CoeffModulus.Create(degree, list(prime_bits)))
        plain_modulus = seal.PlainModulus.Batching(degree, plain_bits).value()
        parameters.set_plain_modulus(seal.Modulus(plain_modulus << scale_bits))
        context = seal.SEALContext(parameters, True, seal.SEC_LEVEL_TYPE.TC128)
        refusal = "" if context.parameters_set() else context.parameters_error_message()
    except (RuntimeError, ValueError) as error:
        refusal = str(error)
    if refusal:
        raise ConfigError(
            f"SEAL refuses N = {degree}, primes of {list(prime_bits)} bits and a plain modulus of {plain_bits} bits: "
            f"{refusal}."
        )
    primes = tuple(modulus.value() for modulus in parameters.coeff_modulus())
    data_primes = primes if context.first_parms_id() == context.key_parms_id() else primes[:-1]
    return Ring(context, degree, primes, data_primes, plain_modulus, scale_bits)


@final
class Scratch:
    """A file that nobody else can open, by which objects go into SEAL and come out of it, one after another.

    Args:
        file: empty, open for reading and writing, unbuffered.
        path: by which SEAL opens it.
    """

    def __init__(self, file: io.FileIO, path: str) -> None:
        self._file = file
        self._path = path
        self._saved, self._body = np.empty(0, np.uint8), np.empty(0, np.uint8)

    def load(self, empty: Any, context: Any, *stream: bytes | memoryview) -> Any:
        """The SEAL object that the parts of a stream hold; SEAL checks it against the context.

        Raises:
            CiphertextError: if it is none.
        """
        # What a longer stream left behind this one is not read: the header says where it ends.
        self._file.seek(0)
        for part in stream:
            self._file.write(part)
        try:
            empty.load(context, self._path)
        except (RuntimeError, ValueError) as error:
            raise CiphertextError(f"SEAL refuses a ciphertext: {error}.") from error
        return empty

    def body_of(self, saveable: Any, largest: int) -> npt.NDArray[np.uint8]:
        """What SEAL saves of an object, without header and compression; it is there until the next call.

        Args:
            saveable: a SEAL object with `save`.
            largest: bytes that it can have at most.
        """
        if self._body.size < largest:
            # What zstd cannot compress becomes longer by less than this.
            self._saved, self._body = (
                np.empty(largest + largest // 64 + 1024, np.uint8),
                np.empty(largest, np.uint8),
            )
        saveable.save(self._path)
        self._file.seek(0)
        read = self._file.readinto(self._saved.data)
        begin = self._saved.ctypes.data + HEADER_BYTES
        size = _decompressor()(self._body.ctypes.data, largest, begin, read - HEADER_BYTES)
        if size > largest:
            raise CiphertextError("SEAL saved an object of another size than expected.")
        return self._body[:size]


@contextmanager
def scratch(*, in_memory: bool = hasattr(os, "memfd_create")) -> Iterator[Scratch]:
    """A new scratch file: in memory on Linux, else on disk for its owner alone; gone in the end."""
    if in_memory:
        descriptor = os.memfd_create("scratch")
        with open(descriptor, "r+b", buffering=0) as file:
            yield Scratch(file, f"/proc/self/fd/{descriptor}")
        return
    descriptor, path = tempfile.mkstemp()
    try:
        with open(descriptor, "r+b", buffering=0) as file:
            yield Scratch(file, path)
    finally:
        os.remove(path)


@functools.cache
def _decompressor() -> Any:
    """zstd's `(target, capacity, source, size) -> size`, which never writes behind the capacity."""
    module = library()
    try:
        decompress = ctypes.CDLL(str(module.__file__)).ZSTD_decompress
    except (OSError, AttributeError):
        raise ConfigError(
            "this build of the package tenseal does not export the decoder that encryption needs.",
            hint="Use the wheel of tenseal 0.3.18 from PyPI on Linux.",
        ) from None
    decompress.restype = ctypes.c_size_t
    decompress.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_void_p, ctypes.c_size_t]
    return decompress
