"""Random words from a cryptographic stream.

NumPy's generators can be predicted from their output; noise that protects people must not be.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms

KEY_BYTES = 32


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
