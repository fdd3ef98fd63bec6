"""The key of the noise on the clients' data, held against the digest in environment.json.

Other noise on the same data would be a second release of them: the mean of both has less noise than was charged.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import NamedTuple

from fedcli.core.errors import RunError
from fedcli.store import directory, secrets


class DataKey(NamedTuple):
    """The key that a run has.

    Args:
        key: the key; None if the run has none.
        is_bound: whether environment.json has its digest.
    """

    key: bytes | None
    is_bound: bool


def digest_of(key: bytes) -> str:
    """The digest for environment.json. The key has 32 random bytes, which nobody can guess from it."""
    return hashlib.sha256(b"fedcli data key " + key).hexdigest()


def read_data_key(run: Path) -> DataKey:
    """The key in secret/.

    Raises:
        RunError: if it is not the one that the run began with.
    """
    key = secrets.read_data_key(run)
    if key is None:
        return DataKey(None, is_bound=False)
    expected = directory.read_json(run, directory.ENVIRONMENT).get("data_key")
    if expected is not None and digest_of(key) != expected:
        raise RunError(
            f"{run / secrets.FOLDER / secrets.DATA_KEY} is not the key that {directory.ENVIRONMENT} names.\n"
            "Restore the file; a new run draws other noise, and its epsilon is added to this one's."
        )
    return DataKey(key, expected is not None)
