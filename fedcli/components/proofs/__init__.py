"""Zero-knowledge proofs that hidden updates are well-formed: commitments, norm bounds and the files of a round."""

from fedcli.components.proofs.norm_bound import norm_bound
from fedcli.core.factories import Registry

PROOFS: Registry = {"norm-bound": norm_bound}

__all__ = ["PROOFS", "norm_bound"]
