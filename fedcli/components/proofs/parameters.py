"""Reads parameters.json, the public values of a round with proofs, as strictly as it is written."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any, NamedTuple

from fedcli.components.proofs.context import FIRST_PROTOCOL, PROTOCOL, ProofContext, Terms
from fedcli.components.proofs.evidence import parameters_bytes
from fedcli.core.integer_grid import IntegerGrid
from fedcli.store.files import canonical_json

_KEYS = (
    "protocol", "run", "round", "model", "clip_norm", "bits", "size", "max_examples", "divisor", "share",
    "noise_squared", "central_noise_squared", "clients",
)  # fmt: skip
_KEYS_OF_TERMS = ("config", "num_clients", "cohort")
_OF_CLIENT = ("client", "weight", "num_examples", "digest")
_MOST_BITS = 25  # beyond which no norm can be proved
_LARGEST = (1 << 53) - 1  # the largest integer that is exact in every reader of JSON
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
    terms: Terms | None = None

    @property
    def protocol(self) -> int:
        """The version of the protocol."""
        return self.context.protocol

    @property
    def grid(self) -> IntegerGrid:
        """The grid of the integers."""
        return IntegerGrid(self.clip_norm, self.bits, self.max_examples)

    @property
    def context(self) -> ProofContext:
        """The context that all proofs of the round share."""
        return ProofContext(self.run, self.round, self.model, self.clip_norm, self.bits, self.terms)


def read_parameters(content: bytes) -> Parameters:
    """Parse parameters.json.

    Raises:
        ValueError: if a run would not write these bytes; the message continues a sentence that begins with the file.
    """
    said, terms = _entries(content)
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
    order = _OF_CLIENT if terms is None else sorted(_OF_CLIENT)
    clients = tuple(_client(entry, order) for entry in said["clients"])
    fractions = [entry["weight"] for entry in said.pop("clients")]
    fractions += [said[name] for name in ("clip_norm", "divisor", "share")]
    # Protocol 1 writes these with a decimal point; `10` would be a second text of `10.0`, with another digest.
    if terms is None and not all(type(value) is float for value in fractions):
        raise ValueError("is not written in its canonical form")
    # In canonical JSON, whole numbers have no decimal point.
    numbers = {name: float(said[name]) for name in ("clip_norm", "divisor", "share")}
    model = _hash("model", said["model"])
    return Parameters(**{**said, **numbers, "model": model}, clients=clients, terms=terms)


def _entries(content: bytes) -> tuple[dict[str, Any], Terms | None]:
    """The entries that both protocols have, and what protocol 2 adds to them."""
    said = canonical_json.parse_object(content)
    protocol = said.get("protocol")
    if type(protocol) is not int or protocol not in (FIRST_PROTOCOL, PROTOCOL):
        raise ValueError(f"is not of protocol {FIRST_PROTOCOL} or {PROTOCOL}")
    keys = _KEYS if protocol == FIRST_PROTOCOL else (*_KEYS, *_KEYS_OF_TERMS)
    if said.keys() != set(keys):
        raise ValueError(f"does not have the entries {', '.join(keys)}")
    terms = None if protocol == FIRST_PROTOCOL else _terms(said)
    entries = {name: said[name] for name in _KEYS}
    try:
        canonical = parameters_bytes(entries, terms)
    # Numbers that have no canonical form.
    except ValueError:
        canonical = b""
    # Otherwise two different files, with different digests in the manifest, could have the same values.
    if canonical != content:
        raise ValueError("is not written in its canonical form")
    del entries["protocol"]
    return entries, terms


def _terms(said: dict[str, Any]) -> Terms:
    """What protocol 2 adds to the entries."""
    cohort, limit = said["cohort"], said["num_clients"]
    _require(_is_count(limit, least=1), "num_clients", limit)
    numbered = isinstance(cohort, list) and all(_is_count(each, least=0) for each in cohort)
    rising = numbered and all(one < other for one, other in pairwise(cohort))
    _require(rising and all(each < limit for each in cohort[-1:]), "cohort", cohort)
    return Terms(_hash("config", said["config"]), limit, tuple(cohort), said["max_examples"])


def _client(entry: Any, order: Sequence[str]) -> IncludedClient:
    if not isinstance(entry, dict) or list(entry) != list(order):
        raise ValueError(f"has a client without the entries {', '.join(_OF_CLIENT)}")
    for name in ("client", "num_examples"):
        _require(_is_count(entry[name], least=0), name, entry[name])
    weight = entry["weight"]
    _require(_is_number(weight) and 0 <= weight <= 1, "weight", weight)
    digest = _hash("digest", entry["digest"])
    return IncludedClient(entry["client"], float(weight), entry["num_examples"], digest)


def _hash(name: str, value: Any) -> bytes:
    _require(
        isinstance(value, str) and len(value) == 64 and set(value) <= set("0123456789abcdef"), name, value
    )
    return bytes.fromhex(value)


def _is_count(value: Any, *, least: int) -> bool:
    return type(value) is int and least <= value <= _LARGEST


def _is_number(value: Any) -> bool:
    # Not `isinstance`, by which `true` would be a number.
    if type(value) is int:
        return abs(value) <= _LARGEST
    return type(value) is float and math.isfinite(value)


def _require(holds: bool, name: str, value: Any) -> None:
    if not holds:
        # A forged value may be of any length.
        raise ValueError(f"has {str(value)[:40]!r} as its {name}")
