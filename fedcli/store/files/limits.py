"""How large the files of a run directory may be, in bytes. A larger one is refused before it is read."""

from __future__ import annotations

CONFIG = 1 << 18
"""config.yaml, as everywhere where configs are read."""

JSON = 1 << 26
"""Manifests, parameters, statements and other JSON. How many values they hold is bounded too (`canonical_json.py`)."""

RECORD = 1 << 20
"""A line of a log."""

LOG = 1 << 36
"""A log, which is read in pieces: about 250 million turns of clients."""

BINARY = 1 << 30
"""A file of arrays or of proofs, such as two moments of 130 million weights. It is held in memory, at most twice."""

SECRET = 1 << 10
"""A key that is a few bytes."""
