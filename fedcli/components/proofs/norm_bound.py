"""Proofs of bounded norms in a round: what stands before encryption, and what stands behind it."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from fedcli.components.proofs.commit import commit
from fedcli.components.proofs.prove import prove
from fedcli.components.proofs.statements import NormBounds
from fedcli.core.contracts import Transform
from fedcli.core.types import Payload
from fedcli.crypto.norm_proofs.curve import library


class Proofs(NamedTuple):
    """Two transforms, between which updates may be encrypted.

    Args:
        commit: takes and gives integers.
        prove: the payload that is sent -> the last transform of the client.
    """

    commit: Transform
    prove: Callable[[Payload], Transform]


def norm_bound(bounds: NormBounds, coded_bytes: Callable[[int], int], noise: Transform | None) -> Proofs:
    """Each client proves that its update, and its noise if it adds any, keeps a bound on its norm; nothing is shown.

    No trusted setup. The parts are standard, their composition is new, and no cryptographer has reviewed it.

    Args:
        bounds: the statements.
        coded_bytes: number of integers -> bytes of them as they are sent without proofs.
        noise: the server's noise on integers.

    Reference: docs/proofs.md; Groth 2009 for the argument; Bell et al. 2023 (ACORN), ePrint 2022/1461.

    Combines: strategies that sum integers (fixed_point, or dp-distributed), with encryption and without.
    """
    library()
    return Proofs(
        commit(bounds, coded_bytes=coded_bytes, noise=noise),
        lambda payload: prove(bounds, payload=payload),
    )
