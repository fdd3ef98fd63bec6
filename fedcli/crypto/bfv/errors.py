"""What protected bytes can be wrong in; never a crash, always a sentence."""

from __future__ import annotations

from fedcli.core.errors import FedcliError


class CiphertextError(FedcliError, ValueError):
    """Bytes that are not what they should be: truncated, mutated, or made under another scheme or key."""


class DecryptionError(FedcliError, RuntimeError):
    """A sum that cannot be opened, or that a key holder refuses to open."""
