"""Proofs of bounds on the committed integers of a client, valid for one run, round, model and payload only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import NamedTuple

import numpy as np

from fedcli.components.proofs.evidence import (
    COMMITMENT,
    DIGEST,
    NOISE_COMMITMENT,
    NOISE_PROOF,
    PROOF,
    SIGNATURE,
)
from fedcli.components.proofs.statements import NormBounds
from fedcli.components.proofs.timed_jobs import (
    COLUMNS,
    PROOF_BYTES,
    PROVE_SECONDS,
    counting_session,
    tally_of,
    verified_each,
)
from fedcli.core.errors import InvalidUpdateError
from fedcli.core.figures import joined
from fedcli.core.rounds import ClientUpdate, RoundContext, Session
from fedcli.core.transform import Transform
from fedcli.core.types import Payload, Tree
from fedcli.core.vectors import digest
from fedcli.crypto.ed25519 import is_signed, sign, statements_message
from fedcli.crypto.norm_proofs.curve import ProofError
from fedcli.crypto.norm_proofs.jobs import Committed, Statement, prove_all, refusals
from fedcli.crypto.norm_proofs.limbs import size_before
from fedcli.crypto.norm_proofs.norm_statement import NormBound
from fedcli.crypto.workers import timed_elsewhere

NAME = "prove"

_DIGEST_BYTES = 32


class _Claim(NamedTuple):
    """One statement about an update: the names of its attachments, its bound, and the context of its proof."""

    commitment: str
    proof: str
    bound: NormBound
    context: bytes


def prove(bounds: NormBounds, *, payload: Payload = "integers") -> Transform:
    """Zero-knowledge proofs of ||u_k|| <= floor(w_k 2^bits), and of ||e_k|| <= E for noise that clients add.

    The proofs are about the commitments of `commit`. They are made after encryption, because the context of each has
    the SHA-256 of the payload as it is sent. It also has the run, the round, the client, its weight and the model
    before the round. In runs with signatures each client signs its contexts and commitments.

    Args:
        bounds: the statements.
        payload: type of the payload, which is not changed.

    Raises:
        InvalidUpdateError: from `encode`, if a vector exceeds its bound.

    Reference: docs/proofs.md, which states what is proved, how, and what was not reviewed.
    """

    def encode(update: ClientUpdate, _state: Tree, context: RoundContext) -> ClientUpdate:
        made: list[Committed] = update.private["committed"]
        sent = digest_of(update)
        # The size of what was committed to: the payload may be a ciphertext.
        claims = _claims(update, sent, bounds, made[0].opening.vector.size, context)
        jobs = [(claim.bound, each, claim.context) for claim, each in zip(claims, made, strict=True)]
        try:
            proofs, seconds = timed_elsewhere(prove_all, jobs)
        except ProofError as error:
            raise InvalidUpdateError(f"no proof can be made: {error}") from error
        named = {claim.proof: proof for claim, proof in zip(claims, proofs, strict=True)}
        key: bytes | None = context.told.get(NAME)
        signed = {} if key is None else {SIGNATURE: sign(key, _to_sign(claims, update.attachments))}
        attachments = {**update.attachments, DIGEST: sent, **named, **signed}
        figures = {PROVE_SECONDS: seconds, PROOF_BYTES: sum(map(len, attachments.values()))}
        grown = len(sent) + sum(map(len, (*proofs, *signed.values())))
        return replace(
            update,
            bytes_up=update.bytes_up + grown,
            attachments=attachments,
            figures=joined(update.figures, figures),
        )

    def admit_all(updates: Sequence[ClientUpdate], state: Tree, context: RoundContext) -> list[str | None]:
        size = int(state["size"])
        reasons = [_objection(update, bounds, context) for update in updates]
        shown = [
            _shown(update, bounds, size, context)
            for update, reason in zip(updates, reasons, strict=True)
            if reason is None
        ]
        # The proofs of all updates in one batch: verifying them together is much cheaper than one by one.
        left = iter(verified_each(tally_of(context, NAME), refusals, [each for one in shown for each in one]))
        each = len(_names(bounds))
        return [
            _first([next(left) for _ in range(each)], update, context)
            or _unsigned(update, bounds, size, context)
            if reason is None
            else reason
            for update, reason in zip(updates, reasons, strict=True)
        ]

    return Transform(
        NAME,
        init=lambda size: {"size": np.int64(size_before(size))},
        encode=encode,
        admit_all=admit_all,
        takes=payload,
        gives=payload,
        begin=_with_keys,
        attached_bytes=lambda size: _DIGEST_BYTES + bounds.proof_bytes(size_before(size)),
        proves=True,
        columns=COLUMNS,
    )


def digest_of(update: ClientUpdate) -> bytes:
    """SHA-256 of a payload as it is sent: the ciphertext, or the integers of 64 bits, little-endian."""
    return digest(update.payload)


def _names(bounds: NormBounds) -> list[tuple[str, str]]:
    return [(COMMITMENT, PROOF), *([(NOISE_COMMITMENT, NOISE_PROOF)] if bounds.has_shares else [])]


def _claims(
    update: ClientUpdate, digest: bytes, bounds: NormBounds, size: int, context: RoundContext
) -> list[_Claim]:
    said = bounds.made_for(context)
    about = partial(
        said.encode,
        digest=digest,
        client=update.client,
        weight=update.weight,
        num_examples=update.num_examples,
    )
    of_update = _Claim(COMMITMENT, PROOF, bounds.of_update(size, update.weight), about("update"))
    if not bounds.has_shares:
        return [of_update]
    return [of_update, _Claim(NOISE_COMMITMENT, NOISE_PROOF, bounds.of_share(size), about("noise"))]


def _with_keys(context: RoundContext, cohort: Sequence[int], size: int) -> Session:
    """A session that counts, and tells each client its own signing key, if the run has signatures."""
    session, keys = counting_session(context, cohort, size), context.identities
    return session if keys is None else session._replace(told={k: keys.private_key(k) for k in cohort})


def _to_sign(claims: Sequence[_Claim], attachments: Mapping[str, bytes]) -> bytes:
    return statements_message((claim.context, attachments[claim.commitment]) for claim in claims)


def _unsigned(update: ClientUpdate, bounds: NormBounds, size: int, context: RoundContext) -> str | None:
    """Why an update with valid proofs is not the client's own; None if it is, or the run has no signatures."""
    if context.identities is None:
        return None
    message = _to_sign(_claims(update, update.attachments[DIGEST], bounds, size, context), update.attachments)
    if is_signed(context.identities.public_key(update.client), message, update.attachments[SIGNATURE]):
        return None
    return f"the update has no valid signature of client {update.client} for this round"


def _objection(update: ClientUpdate, bounds: NormBounds, context: RoundContext) -> str | None:
    """Why an update is rejected without verifying its proofs; None if they must be verified."""
    signature = () if context.identities is None else (SIGNATURE,)
    for name in (DIGEST, *signature, *(name for pair in _names(bounds) for name in pair)):
        if name not in update.attachments:
            return f"the update came without its {name}"
    # Hashed anew: the proof of another payload holds for the digest that came with it.
    if update.attachments[DIGEST] != digest_of(update):
        return "the update's proof was made for another payload: the digests differ"
    return bounds.grid.objection(update.weight, update.num_examples)


def _shown(update: ClientUpdate, bounds: NormBounds, size: int, context: RoundContext) -> list[Statement]:
    sent = update.attachments
    claims = _claims(update, sent[DIGEST], bounds, size, context)
    return [
        Statement(claim.bound, sent[claim.commitment], sent[claim.proof], claim.context) for claim in claims
    ]


def _first(answers: Sequence[str | None], update: ClientUpdate, context: RoundContext) -> str | None:
    """The first reason for rejecting the update's proofs, with the context that they should have; None if all hold."""
    reason = next((answer for answer in answers if answer is not None), None)
    if reason is None:
        return None
    expected = f"client {update.client} in round {context.round} of this run, from this model"
    return f"no valid proof for {expected}: {reason}"
