"""Sums that the server adds and cannot read: three schemes, each a factory that plans before training.

Roles are objects of their own that exchange bytes: the server's is given plans, public keys and ciphertexts, and
nothing that it holds leads to a secret.
"""

from fedcli.components.encryption.secagg import secagg
from fedcli.components.encryption.shared_key import shared_key
from fedcli.components.encryption.threshold import threshold
from fedcli.core.factories import Registry

ENCRYPTIONS: Registry = {"shared-key": shared_key, "threshold": threshold, "secagg": secagg}

__all__ = ["ENCRYPTIONS", "secagg", "shared_key", "threshold"]
