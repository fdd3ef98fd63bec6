"""Context of a proof, as bytes: a proof that is copied to another context is not valid."""

from __future__ import annotations

import json
from typing import Literal, NamedTuple, TypeAlias

# Part of every context, so that a proof of another version of the protocol does not hold.
PROTOCOL = 1

About: TypeAlias = Literal["update", "noise", "central noise"]


class ProofContext(NamedTuple):
    """The context that all proofs of a round share.

    Args:
        run: identifier of the run.
        round: counted from 1.
        model: SHA-256 of the global weights before the round.
        clip_norm: clip norm of the integer grid, in the units of the weights.
        bits: bits of the integer grid.
    """

    run: str
    round: int
    model: bytes
    clip_norm: float
    bits: int

    def encode(
        self, about: About, digest: bytes, *, client: int | None = None, weight: float | None = None
    ) -> bytes:
        """The context of one proof: JSON with sorted keys and without spaces, hashes in hexadecimal.

        Args:
            about: which committed vector the proof is about.
            digest: SHA-256 of what was sent: a client's payload; for the server's noise, the published sum.
            client: its number; None for the server.
            weight: the client's weight; None for the server.
        """
        # Python and the second verifier must write the same bytes, so numbers and keys have one form.
        said = {
            "about": about,
            "bits": self.bits,
            "client": client,
            "clip_norm": float(self.clip_norm),
            "digest": digest.hex(),
            "model": self.model.hex(),
            "protocol": PROTOCOL,
            "round": self.round,
            "run": self.run,
            "weight": None if weight is None else float(weight),
        }
        return json.dumps(said, sort_keys=True, separators=(",", ":")).encode()
