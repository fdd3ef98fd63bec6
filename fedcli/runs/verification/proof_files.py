"""Parses the binary files of a round with proofs."""

from __future__ import annotations

import hashlib
from typing import NamedTuple

import numpy as np

from fedcli.components.proofs import evidence
from fedcli.components.proofs.context import About
from fedcli.components.proofs.parameters import Parameters
from fedcli.core.errors import ConfigError
from fedcli.core.vectors import Integers
from fedcli.crypto.norm_proofs.commitments import Opening
from fedcli.crypto.norm_proofs.curve import SCALAR_BYTES, ProofError, decode_scalars
from fedcli.crypto.norm_proofs.generators import layout
from fedcli.crypto.norm_proofs.jobs import Statement
from fedcli.crypto.norm_proofs.norm_statement import NormBound
from fedcli.runs.verification.round_statement import Round

# No sum of updates comes near; larger integers would overflow int64 where the opening is checked.
_LARGEST = 1 << 62


class Shown(NamedTuple):
    """One proof of a round: what and whom it is about, and its statement."""

    whose: str
    statement: Statement


class Evidence(NamedTuple):
    """All proofs of a round, and the opening of the sum."""

    shown: list[Shown]
    opening: Opening


class Malformed(Exception):
    """A file that cannot be parsed: its name, and the end of a sentence."""

    def __init__(self, file: str, reason: str) -> None:
        super().__init__(reason)
        self.file, self.reason = file, reason


def read_evidence(round: Round, said: Parameters) -> Evidence:
    """The commitments, proofs and sum of a round.

    Raises:
        Malformed: if a file does not have what the round's parameters name.
    """
    try:
        vector = read_sum(round, said.size)
    except ValueError as error:
        raise Malformed(evidence.AGGREGATE, str(error)) from None
    return Evidence(_shown(round, said), Opening(vector, _blindings(round, said.size)))


def read_sum(round: Round, size: int) -> Integers:
    """The published sum.

    Raises:
        ValueError: if it does not have that many integers.
    """
    data = round.read(evidence.AGGREGATE)
    if len(data) != 8 * size:
        raise ValueError(f"has {len(data)} bytes; {size} integers have {8 * size}")
    vector = np.frombuffer(data, "<i8").astype(np.int64)
    if int(vector.max()) >= _LARGEST or int(vector.min()) <= -_LARGEST:
        raise ValueError("has integers that no sum of updates has")
    return vector


def _blindings(round: Round, size: int) -> tuple[int, ...]:
    data, rows = round.read(evidence.BLINDINGS), layout(size).rows
    if len(data) != SCALAR_BYTES * rows:
        reason = f"has {len(data)} bytes; {rows} blindings have {SCALAR_BYTES * rows}"
        raise Malformed(evidence.BLINDINGS, reason)
    try:
        return decode_scalars(data, name="blindings")
    except ProofError as error:
        raise Malformed(evidence.BLINDINGS, f"is refused: {str(error).removesuffix('.')}") from None


def _shown(round: Round, said: Parameters) -> list[Shown]:
    try:
        claims = _claims(round, said)
    except ConfigError as error:
        # The bound is one for which there are no proofs.
        raise Malformed(evidence.PARAMETERS, f"is refused: {error.message}".rstrip(".")) from None
    each = layout(said.size).encoded_bytes
    commitments = _pieces(round, evidence.COMMITMENTS, [each] * len(claims))
    proofs = _pieces(round, evidence.PROOFS, [bound.proof_bytes for _, bound, _ in claims])
    return [
        Shown(whose, Statement(bound, commitment, proof, context))
        for (whose, bound, context), commitment, proof in zip(claims, commitments, proofs, strict=True)
    ]


def _claims(round: Round, said: Parameters) -> list[tuple[str, NormBound, bytes]]:
    """The owner, the bound and the context of each proof, in the order of the files."""
    claims = []
    for each in said.clients:
        of: list[tuple[About, int]] = [("update", said.grid.bound_of(each.weight) ** 2)]
        if said.noise_squared is not None:
            of.append(("noise", said.noise_squared))
        for about, squared in of:
            context = said.context.encode(
                about,
                each.digest,
                client=each.client,
                weight=each.weight,
                num_examples=each.num_examples,
            )
            claims.append((f"the {about} of client {each.client}", NormBound(said.size, squared), context))
    if said.central_noise_squared is not None:
        # The proof is bound to the published sum, so that it cannot be moved to another one.
        published = hashlib.sha256(round.read(evidence.AGGREGATE)).digest()
        included = [each.client for each in said.clients]
        context = said.context.encode("central noise", published, contributors=included)
        claims.append(("the server's noise", NormBound(said.size, said.central_noise_squared), context))
    return claims


def _pieces(round: Round, name: str, lengths: list[int]) -> list[bytes]:
    data, pieces, start = round.read(name), [], 0
    # Before it is cut, because a slice beyond the end is empty and no error.
    if len(data) != sum(lengths):
        reason = f"has {len(data)} bytes; what {evidence.PARAMETERS} names has {sum(lengths)}"
        raise Malformed(name, reason)
    for length in lengths:
        pieces.append(data[start : start + length])
        start += length
    return pieces
