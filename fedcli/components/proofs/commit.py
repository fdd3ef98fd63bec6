"""Commitments to integer updates: the sum of the updates opens the sum of their commitments."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import partial

import numpy as np

from fedcli.components.proofs.evidence import COMMITMENT, NOISE_COMMITMENT, Opened, ServerNoise, evidence
from fedcli.components.proofs.statements import NormBounds
from fedcli.components.proofs.timed_jobs import (
    COLUMNS,
    PROVE_SECONDS,
    VERIFY_SECONDS,
    counted,
    counting_session,
    tally_of,
    verified_each,
)
from fedcli.core.errors import InvalidUpdateError, VoidRoundError
from fedcli.core.figures import joined
from fedcli.core.rounds import Aggregate, ClientUpdate, RoundContext
from fedcli.core.transform import Transform
from fedcli.core.types import Tree
from fedcli.core.vectors import Integers, digest, exact_squared_norm
from fedcli.crypto.norm_proofs.commitments import Opening
from fedcli.crypto.norm_proofs.curve import ORDER
from fedcli.crypto.norm_proofs.jobs import commit_to, open_each, opens, prove_all
from fedcli.crypto.norm_proofs.limbs import LARGEST_LIMB, from_limbs, num_limbs, to_limbs
from fedcli.crypto.workers import timed_elsewhere

NAME = "commit"

# Larger integers could overflow int64 in the server's sums, before their opening is checked.
_FURTHEST = 1 << 62


def commit(
    bounds: NormBounds, *, coded_bytes: Callable[[int], int], noise: Transform | None = None
) -> Transform:
    """C_k = commitment to u_k; the payload is u_k and then the blindings, in limbs of 16 bits that can be summed.

    The server checks that the sum and its blindings open the sum of the commitments. If it can read single updates, it
    checks each of them as well. If a client adds noise e_k, it sends a second commitment for e_k; the update u_k + e_k
    opens the sum of its two commitments.

    If the server adds noise, it commits to the noise and proves its bound, and publishes only the noised sum.

    Args:
        bounds: bounds on the integers and on noise.
        coded_bytes: number of integers -> bytes that a client sends for them without commitments.
        noise: the server's noise on integers, a transform without state; None without such noise. This transform takes
            over its privacy event.

    Raises:
        InvalidUpdateError: from `encode`, if the noise exceeds its bound; delta includes the probability.
        VoidRoundError: from `decode`, if the sum does not open the commitments, or the server's noise exceeds its
            bound.

    Reference: Pedersen 1991; Lycklama et al. 2023, arXiv:2107.03311, for sums with their blindings.
    """

    def init(size: int) -> Tree:
        bounds.require_provable(size)
        return {"size": np.int64(size)}

    def encode(update: ClientUpdate, _state: Tree, _context: RoundContext) -> ClientUpdate:
        sent, added = update.payload, update.private.get("noise")
        if added is not None and exact_squared_norm(added) > bounds.of_share(sent.size).squared:
            raise InvalidUpdateError("the noise is longer than its provable bound")
        # Two commitments: an update with noise exceeds the bound of an update, so each has its own proof.
        vectors = [sent] if added is None else [sent - added, added]
        made, seconds = timed_elsewhere(commit_to, vectors)
        commitments = dict(zip(_names(bounds), (each.commitment for each in made), strict=True))
        limbs = to_limbs(_total(each.opening.blindings for each in made))
        return replace(
            update,
            payload=np.concatenate([sent, limbs]),
            bytes_up=update.bytes_up + 2 * limbs.size + sum(map(len, commitments.values())),
            attachments={**update.attachments, **commitments},
            private={**update.private, "committed": made},
            figures=joined(update.figures, {PROVE_SECONDS: seconds}),
        )

    def admit_all(updates: Sequence[ClientUpdate], state: Tree, context: RoundContext) -> list[str | None]:
        size = int(state["size"])
        # Before anything is computed: a client may send whatever it likes.
        reasons = [_malformed(update, size, _names(bounds)) for update in updates]
        asked = [
            ([update.attachments[name] for name in _names(bounds)], _opening(update.payload, size))
            for update, reason in zip(updates, reasons, strict=True)
            if reason is None
        ]
        answers = verified_each(tally_of(context, NAME), open_each, asked)
        left = iter(
            [None if why is None else f"the update is not what it was committed to: {why}" for why in answers]
        )
        return [next(left) if reason is None else reason for reason in reasons]

    def decode(aggregate: Aggregate, state: Tree, context: RoundContext) -> tuple[Aggregate, Tree]:
        total = _opening(aggregate.value.astype(np.int64), int(state["size"]))
        _require_open(aggregate, _names(bounds), total, context)
        said = bounds.made_for(context)
        published, added = Opened(*total), None
        # Also in an empty round, which releases the noise alone.
        if noise is not None:
            included = [each.client for each in aggregate.accepted]
            about = partial(said.encode, "central noise", contributors=included)
            published, added = _noised(noise, bounds, total, about, context)
        elif not aggregate.accepted:
            return aggregate._replace(value=total.vector), state
        numbers = {**_numbers(aggregate, bounds, context), **bounds.squared(total.vector.size)}
        is_signed = context.identities is not None
        files = evidence(said, numbers, aggregate.accepted, published, added, signed=is_signed)
        return aggregate._replace(value=published.vector, evidence=files), state

    return Transform(
        NAME,
        init=init,
        encode=encode,
        admit_all=admit_all,
        decode=decode,
        takes="integers",
        gives="integers",
        privacy=noise.privacy if noise else None,
        coded_bytes=lambda size: coded_bytes(size) + 2 * num_limbs(size),
        attached_bytes=bounds.commitment_bytes,
        adds=num_limbs,
        hides=True,
        leaves_evidence=True,
        begin=counting_session,
        columns=COLUMNS,
    )


def _names(bounds: NormBounds) -> tuple[str, ...]:
    return (COMMITMENT, NOISE_COMMITMENT) if bounds.has_shares else (COMMITMENT,)


def _total(blindings: Iterable[Sequence[int]]) -> tuple[int, ...]:
    # Reduced, because an opening with scalars of another form is refused.
    return tuple(sum(row) % ORDER for row in zip(*blindings, strict=True))


def _opening(payload: Integers, size: int) -> Opening:
    return Opening(payload[:size], from_limbs(payload[size:]))


def _malformed(update: ClientUpdate, size: int, names: Sequence[str]) -> str | None:
    """Why an update is not of the form that can be opened; None if it is."""
    expected = (size + num_limbs(size),)
    if update.payload.dtype != np.int64 or update.payload.shape != expected:
        found = f"{update.payload.dtype} of shape {list(update.payload.shape)}"
        return f"the update is a vector of {found}; integers of shape {list(expected)} are expected"
    vector, limbs = update.payload[:size], update.payload[size:]
    if int(vector.max()) >= _FURTHEST or int(vector.min()) <= -_FURTHEST:
        return f"a coordinate of the update is beyond {_FURTHEST} steps, the limit of commitments"
    if limbs.min() < 0 or limbs.max() > LARGEST_LIMB:
        return "the blindings after the update are not limbs of 16 bits"
    missing = [name for name in names if name not in update.attachments]
    return f"the update came without its {missing[0]}" if missing else None


def _require_open(aggregate: Aggregate, names: Sequence[str], total: Opening, context: RoundContext) -> None:
    commitments = [each.attachments[name] for each in aggregate.accepted for name in names]
    if not commitments:
        return
    if counted(tally_of(context, NAME), VERIFY_SECONDS, opens, commitments, total) is not None:
        raise VoidRoundError(
            "the sum of the updates does not open the sum of their commitments: at least one update is not what "
            "its client committed to, and a sum does not show which"
        )


def _noised(
    noise: Transform,
    bounds: NormBounds,
    total: Opening,
    about: Callable[[bytes], bytes],
    context: RoundContext,
) -> tuple[Opened, ServerNoise]:
    """The sum with the server's noise, and the server's commitment and proof."""
    vector = noise.decode(Aggregate(total.vector, 0.0), {}, context)[0].value
    drawn, bound = vector - total.vector, bounds.of_central_noise(vector.size)
    if exact_squared_norm(drawn) > bound.squared:
        raise VoidRoundError("the noise is longer than its provable bound")
    (made,) = counted(tally_of(context, NAME), PROVE_SECONDS, commit_to, [drawn])
    # The context has the published sum, so that the proof is not valid for another sum.
    statement = (bound, made, about(digest(vector)))
    (proof,) = counted(tally_of(context, NAME), PROVE_SECONDS, prove_all, [statement])
    blindings = _total([total.blindings, made.opening.blindings])
    return Opened(vector, blindings), ServerNoise(made.commitment, proof)


def _numbers(
    aggregate: Aggregate, bounds: NormBounds, context: RoundContext
) -> dict[str, float | int | None]:
    # Verification computes the next model from the divisor and the share of the server's step.
    planned = context.planned_weight
    count = len(aggregate.accepted) if planned is None else planned
    return {
        "max_examples": bounds.grid.max_examples,
        "divisor": float(aggregate.weight if planned is None else planned),
        "share": count / context.num_clients if context.num_clients else 1.0,
    }
