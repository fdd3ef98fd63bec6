"""Evidence of a round with proofs: the files by which anyone can check it. docs/proofs.md describes the format."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from fedcli.components.proofs.context import ProofContext, Terms
from fedcli.core.concealment import concealed
from fedcli.core.rounds import Accepted
from fedcli.core.vectors import Integers
from fedcli.store.files import canonical_json

PARAMETERS = "parameters.json"
COMMITMENTS = "commitments.bin"
PROOFS = "proofs.bin"
AGGREGATE = "aggregate.bin"
BLINDINGS = "blindings.bin"
SIGNATURES = "signatures.bin"
"""Only in runs whose clients have keys."""

COMMITMENT, NOISE_COMMITMENT = "commitment", "noise_commitment"
PROOF, NOISE_PROOF = "proof", "noise_proof"
DIGEST, SIGNATURE = "digest", "signature"
"""Names of a client's attachments."""


class Opened(NamedTuple):
    """An opening of the sum of all commitments: the published sum, shape [size], and one blinding for each row."""

    vector: Integers
    blindings: tuple[int, ...]

    def __repr__(self) -> str:
        # Of a sum that the server adds noise to, only the noised one is published.
        return concealed(self, integers=self.vector.size, blindings=len(self.blindings))


class ServerNoise(NamedTuple):
    """The server's commitment to its noise, and the proof of its bound."""

    commitment: bytes
    proof: bytes


def evidence(
    said: ProofContext,
    numbers: Mapping[str, Any],
    accepted: Sequence[Accepted],
    opened: Opened,
    noise: ServerNoise | None = None,
    *,
    signed: bool = False,
) -> dict[str, bytes]:
    """The files of a round, by name.

    Args:
        said: the context of the round's proofs.
        numbers: other entries of parameters.json, such as `noise_squared`.
        accepted: the clients in the sum, in cohort order.
        opened: the published sum.
        noise: the server's noise; None without it.
        signed: whether the clients have keys, and so signed.
    """
    parameters = {
        "protocol": said.protocol,
        "run": said.run,
        "round": said.round,
        "model": said.model.hex(),
        "clip_norm": said.clip_norm,
        "bits": said.bits,
        "size": int(opened.vector.size),
        **numbers,
        "clients": [_entry(each) for each in accepted],
    }
    sent = [each.attachments for each in accepted]
    # Read by name, because a client may send attachments that nobody asked for.
    kinds = 1 if numbers["noise_squared"] is None else 2
    commitments = [each.get(name, b"") for each in sent for name in (COMMITMENT, NOISE_COMMITMENT)[:kinds]]
    proofs = [each.get(name, b"") for each in sent for name in (PROOF, NOISE_PROOF)[:kinds]]
    signatures = b"".join(each.get(SIGNATURE, b"") for each in sent)
    return {
        **({SIGNATURES: signatures} if signed else {}),
        PARAMETERS: parameters_bytes(parameters, said.terms),
        COMMITMENTS: b"".join([*commitments, noise.commitment if noise else b""]),
        PROOFS: b"".join([*proofs, noise.proof if noise else b""]),
        AGGREGATE: aggregate_bytes(opened.vector),
        BLINDINGS: b"".join(blinding.to_bytes(32, "big") for blinding in opened.blindings),
    }


def parameters_bytes(parameters: Mapping[str, Any], terms: Terms | None) -> bytes:
    """The content of parameters.json in the only form that is accepted: canonical JSON, except under protocol 1.

    Args:
        parameters: the entries, in the order that protocol 1 asks for.
        terms: what protocol 2 adds; None under protocol 1.
    """
    if terms is None:
        return json.dumps(parameters, indent=2).encode() + b"\n"
    # Without `max_examples`, which the entries have under both protocols.
    more: dict[str, Any] = {
        "config": terms.config.hex(),
        "num_clients": terms.num_clients,
        "cohort": list(terms.cohort),
    }
    return canonical_json.encode({**parameters, **more})


def aggregate_bytes(vector: Integers) -> bytes:
    """A sum as bytes: 64 bits for each integer, little-endian."""
    # The same on every machine, because proofs are bound to its hash.
    return np.ascontiguousarray(vector, "<i8").tobytes()


def _entry(accepted: Accepted) -> dict[str, Any]:
    return {
        "client": accepted.client,
        "weight": float(accepted.weight),
        "num_examples": accepted.num_examples,
        "digest": accepted.attachments[DIGEST].hex(),
    }
