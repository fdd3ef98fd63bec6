"""Encryption schemes for sums that the server adds but cannot read. Each factory plans before training.

Every role is a separate object, and roles exchange bytes only. The server's object receives plans, public keys and
ciphertexts; nothing that it holds leads to a secret.
"""

from fedcli.components.encryption.secagg import secagg
from fedcli.components.encryption.shared_key import shared_key
from fedcli.components.encryption.threshold import threshold
from fedcli.core.factories import Registry

ENCRYPTIONS: Registry = {"shared-key": shared_key, "threshold": threshold, "secagg": secagg}

__all__ = ["ENCRYPTIONS", "secagg", "shared_key", "threshold"]
