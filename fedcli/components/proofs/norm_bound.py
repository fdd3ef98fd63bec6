"""Norm proofs: commitments before encryption, and proofs after it."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from fedcli.components.proofs.commit import commit
from fedcli.components.proofs.prove import prove
from fedcli.components.proofs.statements import NormBounds
from fedcli.core.transform import Transform
from fedcli.core.types import Payload
from fedcli.crypto.norm_proofs.curve import library


class Proofs(NamedTuple):
    """The transforms of norm proofs; updates may be encrypted between the two.

    Args:
        commit: takes and gives integers.
        prove: type of the payload that is sent -> the last transform of a client.
    """

    commit: Transform
    prove: Callable[[Payload], Transform]


def norm_bound(bounds: NormBounds, coded_bytes: Callable[[int], int], noise: Transform | None) -> Proofs:
    """Each client proves in zero knowledge that its update, and any noise that it adds, has a bounded norm.

    No trusted setup. The parts are standard; their composition is new, and no cryptographer has reviewed it.

    Args:
        bounds: the statements.
        coded_bytes: number of integers -> bytes that a client sends for them without proofs.
        noise: the transform of the server's noise on integers; None without such noise.

    Reference: docs/proofs.md; Groth 2009 for the argument; Bell et al. 2023 (ACORN), ePrint 2022/1461.

    Combines: strategies that sum integers (fixed_point, or dp-distributed), with encryption and without.

    Needs: fixed_point={'clip_norm': 10.0, 'max_examples': 100}
    """
    # Fails while the experiment is planned if the curve library is missing, and not in the first round.
    library()
    return Proofs(
        commit(bounds, coded_bytes=coded_bytes, noise=noise),
        lambda payload: prove(bounds, payload=payload),
    )
