"""Random words and Gaussian noise from a cryptographic stream.

NumPy's generators can be predicted from their output; noise that protects people must not be.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms

KEY_BYTES = 32


def gaussian(size: int, *, key: bytes) -> npt.NDArray[np.float64]:
    """Independent N(0, 1) samples in floating point, shape [size].

    A ChaCha20 keystream feeds the Box-Muller transform. The low bits of the samples do not follow the exact law
    (Mironov 2012); the privacy statement of a run says so.

    Args:
        size: number of samples.
        key: 32 bytes, used for one call only. Take it from `secrets.token_bytes` wherever the noise protects people.

    Raises:
        ValueError: if the key does not have 32 bytes.
    """
    pairs = (size + 1) // 2
    # float64 has 53 bits of precision, so the lower 11 of 64 bits are dropped.
    uniform = (keystream(key)(2 * pairs) >> np.uint64(11)).astype(np.float64)
    # In (0, 1]: the logarithm never receives zero.
    radius = np.sqrt(-2.0 * np.log((uniform[:pairs] + 1.0) * 2.0**-53))
    angle = uniform[pairs:] * (2.0 * np.pi * 2.0**-53)
    return np.concatenate([radius * np.cos(angle), radius * np.sin(angle)])[:size]


def keystream(key: bytes) -> Callable[[int], npt.NDArray[np.uint64]]:
    """A ChaCha20 stream of uniform 64-bit words: `count` -> the next words, shape [count].

    Args:
        key: 32 bytes, used for one stream only.

    Raises:
        ValueError: if the key does not have 32 bytes.
    """
    # The nonce is constant because no key is used twice.
    encryptor = Cipher(algorithms.ChaCha20(key, bytes(16)), mode=None).encryptor()
    # Little-endian on every machine, so that a key gives the same noise everywhere.
    return lambda count: np.frombuffer(encryptor.update(bytes(8 * count)), "<u8")
