"""Reads parameters.json, the public values of a round with proofs, as strictly as it is written."""

from __future__ import annotations

import json
import math
from typing import Any, NamedTuple

from fedcli.components.proofs.context import PROTOCOL, ProofContext
from fedcli.core.integer_grid import IntegerGrid

_KEYS = (
    "protocol", "run", "round", "model", "clip_norm", "bits", "size", "max_examples", "divisor", "share",
    "noise_squared", "central_noise_squared", "clients",
)  # fmt: skip
_OF_CLIENT = ("client", "weight", "num_examples", "digest")
_MOST_BITS = 25  # beyond which no norm can be proved
_OPTIONAL = ("max_examples", "noise_squared", "central_noise_squared")


class IncludedClient(NamedTuple):
    """A client whose update is in the sum; `digest` is the SHA-256 of the payload that it sent."""

    client: int
    weight: float
    num_examples: int
    digest: bytes


class Parameters(NamedTuple):
    """The content of parameters.json, which `evidence.py` writes and docs/proofs.md explains."""

    run: str
    round: int
    model: bytes
    clip_norm: float
    bits: int
    size: int
    max_examples: int | None
    divisor: float
    share: float
    noise_squared: int | None
    central_noise_squared: int | None
    clients: tuple[IncludedClient, ...]

    @property
    def grid(self) -> IntegerGrid:
        """The grid of the integers."""
        return IntegerGrid(self.clip_norm, self.bits, self.max_examples)

    @property
    def context(self) -> ProofContext:
        """The context that all proofs of the round share."""
        return ProofContext(self.run, self.round, self.model, self.clip_norm, self.bits)


def read_parameters(content: bytes) -> Parameters:
    """Parse parameters.json.

    Raises:
        ValueError: if a run would not write these bytes; the message continues a sentence that begins with the file.
    """
    said = _parsed(content)
    # In this order too, because a file of given values has one form.
    if list(said) != list(_KEYS):
        raise ValueError(f"does not have the entries {', '.join(_KEYS)}")
    if said.pop("protocol") != PROTOCOL:
        raise ValueError(f"is not of protocol {PROTOCOL}")
    for name in ("round", "size"):
        _require(_is_count(said[name], least=1), name, said[name])
    for name in _OPTIONAL:
        # Weights are divided by it.
        least = 1 if name == "max_examples" else 0
        _require(said[name] is None or _is_count(said[name], least=least), name, said[name])
    _require(isinstance(said["run"], str), "run", said["run"])
    _require(_is_count(said["bits"], least=1) and said["bits"] <= _MOST_BITS, "bits", said["bits"])
    for name in ("clip_norm", "divisor", "share"):
        _require(_is_number(said[name]) and said[name] >= 0, name, said[name])
    _require(isinstance(said["clients"], list), "clients", said["clients"])
    clients = tuple(_client(entry) for entry in said.pop("clients"))
    return Parameters(**{**said, "model": _hash("model", said["model"])}, clients=clients)


def _parsed(content: bytes) -> dict[str, Any]:
    try:
        said = json.loads(content)
    except (ValueError, RecursionError):
        raise ValueError("is not JSON") from None
    if not isinstance(said, dict):
        raise ValueError("is not a mapping")
    # Otherwise two different files, with different digests in the manifest, could have the same values.
    if json.dumps(said, indent=2).encode() + b"\n" != content:
        raise ValueError("is not written in its canonical form")
    return said


def _client(entry: Any) -> IncludedClient:
    if not isinstance(entry, dict) or list(entry) != list(_OF_CLIENT):
        raise ValueError(f"has a client without the entries {', '.join(_OF_CLIENT)}")
    for name in ("client", "num_examples"):
        _require(_is_count(entry[name], least=0), name, entry[name])
    weight = entry["weight"]
    _require(_is_number(weight) and 0 <= weight <= 1, "weight", weight)
    return IncludedClient(entry["client"], weight, entry["num_examples"], _hash("digest", entry["digest"]))


def _hash(name: str, value: Any) -> bytes:
    _require(
        isinstance(value, str) and len(value) == 64 and set(value) <= set("0123456789abcdef"), name, value
    )
    return bytes.fromhex(value)


def _is_count(value: Any, *, least: int) -> bool:
    return type(value) is int and value >= least


def _is_number(value: Any) -> bool:
    # Not `isinstance`, by which `true` would be a number.
    return type(value) in (int, float) and math.isfinite(value)


def _require(holds: bool, name: str, value: Any) -> None:
    if not holds:
        # A forged value may be of any length.
        raise ValueError(f"has {str(value)[:40]!r} as its {name}")
