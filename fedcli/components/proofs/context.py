"""Context of a proof, as bytes: a proof that is copied to another context is not valid."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from functools import lru_cache
from typing import Literal, NamedTuple, TypeAlias

from fedcli.store.files import canonical_json

# Part of every context, so that a proof of another version of the protocol does not hold.
FIRST_PROTOCOL, PROTOCOL = 1, 2

About: TypeAlias = Literal["update", "noise", "central noise"]


class Terms(NamedTuple):
    """What protocol 2 binds a proof to, and protocol 1 does not.

    Args:
        config: SHA-256 of the run's config.yaml.
        num_clients: size of the population.
        cohort: the clients that were drawn for the round, ascending.
        max_examples: number of examples from which a client has weight 1; None if all have it.
    """

    config: bytes
    num_clients: int
    cohort: tuple[int, ...]
    max_examples: int | None


class ProofContext(NamedTuple):
    """The context that all proofs of a round share.

    Args:
        run: identifier of the run.
        round: counted from 1.
        model: SHA-256 of the global weights before the round.
        clip_norm: clip norm of the integer grid, in the units of the weights.
        bits: bits of the integer grid.
        terms: what protocol 2 adds; None under protocol 1.
    """

    run: str
    round: int
    model: bytes
    clip_norm: float
    bits: int
    terms: Terms | None = None

    @property
    def protocol(self) -> int:
        """The version of the protocol."""
        return FIRST_PROTOCOL if self.terms is None else PROTOCOL

    def encode(
        self,
        about: About,
        digest: bytes,
        *,
        client: int | None = None,
        weight: float | None = None,
        num_examples: int | None = None,
        contributors: Sequence[int] | None = None,
    ) -> bytes:
        """The context of one proof: canonical JSON, hashes in hexadecimal.

        Args:
            about: which committed vector the proof is about.
            digest: SHA-256 of what was sent: a client's payload; for the server's noise, the published sum.
            client: its number; None for the server.
            weight: the client's weight; None for the server.
            num_examples: the client's number of training examples; None for the server. Protocol 1 ignores it.
            contributors: for the server, the clients in the sum; None for a client. Protocol 1 ignores it.

        Reference: RFC 8785 for the form under protocol 2.
        """
        # Python and another verifier must write the same bytes, so numbers and keys have one form.
        said = {
            "about": about,
            "bits": self.bits,
            "client": client,
            "clip_norm": float(self.clip_norm),
            "digest": digest.hex(),
            "model": self.model.hex(),
            "protocol": self.protocol,
            "round": self.round,
            "run": self.run,
            "weight": None if weight is None else float(weight),
        }
        if self.terms is None:
            return json.dumps(said, sort_keys=True, separators=(",", ":")).encode()
        return canonical_json.encode(
            {
                **said,
                "cohort": digest_of_cohort(self.terms.cohort),
                "config": self.terms.config.hex(),
                "contributors": None if contributors is None else list(contributors),
                "max_examples": self.terms.max_examples,
                "num_clients": self.terms.num_clients,
                "num_examples": num_examples,
            }
        )


# The same cohort for every client of a round.
@lru_cache(maxsize=8)
def digest_of_cohort(cohort: tuple[int, ...]) -> str:
    """Hexadecimal SHA-256 of a cohort, as the canonical JSON of the list of its clients."""
    return hashlib.sha256(canonical_json.encode(list(cohort))).hexdigest()
