"""Random words and Gaussian noise from a cryptographic stream."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms

KEY_BYTES = 32


def gaussian(size: int, *, key: bytes) -> npt.NDArray[np.float64]:
    """Independent N(0, 1) samples in floating point, shape [size].

    A ChaCha20 keystream feeds Box and Muller's transform. The samples are floating point: their low
    bits do not follow the exact law (Mironov 2012), which a run's privacy statement says.

    Args:
        size: number of samples.
        key: 32 bytes, used for one call only; from `secrets.token_bytes` wherever the noise protects.
    """
    pairs = (size + 1) // 2
    uniform = (keystream(key)(2 * pairs) >> np.uint64(11)).astype(np.float64)
    # 53 bits in (0, 1]: the logarithm never meets zero.
    radius = np.sqrt(-2.0 * np.log((uniform[:pairs] + 1.0) * 2.0**-53))
    angle = uniform[pairs:] * (2.0 * np.pi * 2.0**-53)
    return np.concatenate([radius * np.cos(angle), radius * np.sin(angle)])[:size]


def keystream(key: bytes) -> Callable[[int], npt.NDArray[np.uint64]]:
    """A ChaCha20 stream as uniform words of 64 bits: `count` -> the next words, shape [count].

    Args:
        key: 32 bytes, used for one stream only.
    """
    encryptor = Cipher(algorithms.ChaCha20(key, bytes(16)), mode=None).encryptor()
    return lambda count: np.frombuffer(encryptor.update(bytes(8 * count)), "<u8")
