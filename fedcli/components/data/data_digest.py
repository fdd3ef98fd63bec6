"""A digest of the clients' data, by which two machines find out that they do not have the same."""

from __future__ import annotations

import hashlib

import numpy as np

from fedcli.components.data.federation import Federation
from fedcli.core.types import Array

_MOST_CLIENTS, _MOST_BYTES = 256, 2**28


def data_digest(federation: Federation) -> bytes:
    """SHA-256 of the clients' numbers of examples, the test set, and the clients' examples as they train on them.

    Of more than 256 clients 256 are read, evenly spread, and of large data the first clients of these until
    they have 256 MiB:
    a file that is another one changes them all, and nobody has to read a million clients.

    Returns:
        32 bytes.
    """
    total, size = hashlib.sha256(), 0
    for array in (federation.num_train, federation.num_validation, *federation.test):
        _add(total, array)
    count = federation.num_clients
    for client in np.unique(np.linspace(0, count - 1, min(count, _MOST_CLIENTS)).astype(np.int64)).tolist():
        if size > _MOST_BYTES:
            break
        size += sum(_add(total, array) for array in federation.client(client))
    return total.digest()


def _add(total: hashlib._Hash, array: Array) -> int:
    # With type and shape, so that the same bytes cut elsewhere are other data.
    array = np.ascontiguousarray(array)
    total.update(f"{array.dtype.str} {array.shape};".encode())
    total.update(array.data if array.size else b"")
    return array.nbytes
