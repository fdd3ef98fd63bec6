"""Access to Microsoft SEAL through `_sealapi_cpp`, the extension module of the package tenseal.

`import tenseal` is avoided: both it and TensorFlow export protobuf symbols, and the process crashes. The extension
module has no such symbols.

The wrapper gives no access to coefficients, and it saves to and loads from files only. So an object becomes an array
through an anonymous file (`Scratch`). One file serves many objects, because a new file for each would cost as much as
SEAL's own work on some of them. SEAL compresses what it saves with zstd. The extension module exports the decoder,
which is called through ctypes. Loading needs no compression: `streams.py` writes plain streams, and SEAL checks each of
them against the context.
"""

from __future__ import annotations

import ctypes
import functools
import io
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any, NamedTuple, final

import numpy as np
import numpy.typing as npt

from fedcli.core.errors import ConfigError, MissingLibraryError
from fedcli.crypto.bfv.errors import CiphertextError

Words = npt.NDArray[np.uint64]
SealObject = Any  # an object of the extension module, which has no type annotations

HEADER_BYTES = 16

MOST_PLAIN_BITS = 60
"""SEAL's limit on the plain modulus."""


class Ring(NamedTuple):
    """The polynomial ring of a scheme, with SEAL's context; public.

    Args:
        context: SEAL's tables for these parameters, which passed its check for 128 bits of security.
        degree: N, the number of coefficients of a polynomial and of slots of a ciphertext.
        primes: all prime moduli; keys are polynomials modulo each of them.
        data_primes: the moduli of ciphertexts: the only prime, or all but the last of several.
        plain_modulus: t, a prime.
    """

    context: SealObject
    degree: int
    primes: tuple[int, ...]
    data_primes: tuple[int, ...]
    plain_modulus: int


def library() -> ModuleType:
    """The extension module.

    Raises:
        MissingLibraryError: if it is not installed.
    """
    try:
        import _sealapi_cpp
    except ImportError:
        raise MissingLibraryError(
            "homomorphic encryption needs the package tenseal, which is not installed.",
            hint='Install it: pip install "fedcli[encryption]".',
        ) from None
    module: ModuleType = _sealapi_cpp
    return module


@functools.lru_cache(maxsize=16)
def ring(degree: int, prime_bits: tuple[int, ...], plain_bits: int) -> Ring:
    """The ring of these sizes, with the primes that SEAL chooses for them.

    SEAL keeps the last of several primes for keys: it encrypts modulo all of them and divides the last one away.

    Raises:
        ConfigError: if SEAL refuses the parameters, for instance because they have less than 128 bits of security.
    """
    seal = library()
    parameters = seal.EncryptionParameters(seal.SCHEME_TYPE.BFV)
    parameters.set_poly_modulus_degree(degree)
    try:
        parameters.set_coeff_modulus(seal.CoeffModulus.Create(degree, list(prime_bits)))
        plain_modulus = seal.PlainModulus.Batching(degree, plain_bits).value()
        parameters.set_plain_modulus(seal.Modulus(plain_modulus))
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
    return Ring(context, degree, primes, data_primes, plain_modulus)


@final
class Scratch:
    """A private file through which objects are loaded into SEAL and saved from it, one after another.

    Args:
        file: empty, open for reading and writing, unbuffered.
        path: the path by which SEAL opens the file.
    """

    def __init__(self, file: io.FileIO, path: str) -> None:
        self._file = file
        self._path = path
        self._saved, self._body = np.empty(0, np.uint8), np.empty(0, np.uint8)

    def load(self, empty: SealObject, context: SealObject, *stream: bytes | memoryview) -> SealObject:
        """The SEAL object in a stream, given in parts; SEAL checks it against the context.

        Raises:
            CiphertextError: if SEAL refuses it.
        """
        # The rest of a longer stream may follow this one. It is not read: the header says where the stream ends.
        self._file.seek(0)
        for part in stream:
            self._file.write(part)
        try:
            empty.load(context, self._path)
        except (RuntimeError, ValueError) as error:
            raise CiphertextError(f"SEAL refuses a ciphertext: {error}.") from error
        return empty

    def body_of(self, saveable: SealObject, largest: int) -> npt.NDArray[np.uint8]:
        """The bytes that SEAL saves of an object, without header and compression; valid until the next call.

        Args:
            saveable: a SEAL object with `save`.
            largest: an upper bound on the number of bytes.

        Raises:
            CiphertextError: if there are more bytes than `largest`.
        """
        if self._body.size < largest:
            # Bytes that zstd cannot compress become longer by less than this.
            self._saved, self._body = (
                np.empty(largest + largest // 64 + 1024, np.uint8),
                np.empty(largest, np.uint8),
            )
        saveable.save(self._path)
        self._file.seek(0)
        read = self._file.readinto(self._saved.data)
        begin = self._saved.ctypes.data + HEADER_BYTES
        size = _decompressor()(self._body.ctypes.data, largest, begin, read - HEADER_BYTES)
        # zstd reports its errors as sizes close to 2^64.
        if size > largest:
            raise CiphertextError("SEAL saved an object of another size than expected.")
        return self._body[:size]


@contextmanager
def scratch(*, in_memory: bool = hasattr(os, "memfd_create")) -> Iterator[Scratch]:
    """A new scratch file, removed at the end: in memory on Linux, elsewhere on disk and readable by its owner only."""
    # Keys pass through the file, so it has no name that another user could open.
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
def _decompressor() -> Callable[..., int]:
    """zstd's `(target, capacity, source, size) -> size`, which never writes beyond the capacity."""
    module = library()
    try:
        decompress = ctypes.CDLL(str(module.__file__)).ZSTD_decompress
    except (OSError, AttributeError):
        raise ConfigError(
            "this build of the package tenseal does not export the zstd decoder that encryption needs.",
            hint="Use the wheel of tenseal 0.3.18 from PyPI on Linux.",
        ) from None
    decompress.restype = ctypes.c_size_t
    decompress.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_void_p, ctypes.c_size_t]
    function: Callable[..., int] = decompress
    return function
