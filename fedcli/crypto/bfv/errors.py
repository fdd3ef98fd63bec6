"""Errors of encrypted and masked sums.

Damaged or foreign bytes raise one of these with a sentence; they never crash the process.
"""

from __future__ import annotations

from fedcli.core.errors import FedcliError


class CiphertextError(FedcliError, ValueError):
    """Bytes that are truncated, altered, malformed, or made under another scheme or key."""


class DecryptionError(FedcliError, RuntimeError):
    """A sum that cannot be decrypted, or that a key holder refuses to decrypt."""
