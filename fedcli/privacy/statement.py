"""The content of privacy.json: what was released, what it guarantees, from whom, and what is not covered."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, is_dataclass
from importlib.metadata import version
from typing import Any

from fedcli.core.exchange import Concealment
from fedcli.core.privacy_events import Event
from fedcli.core.sampling_scheme import PrivacyTarget, Sampling
from fedcli.privacy import words
from fedcli.privacy.table import accountant_for, mechanism_of

_FIGURES_NOT_COVERED = (
    "training, validation and test metrics in metrics.jsonl and clients.jsonl, which are published without noise",
    "which clients took part in a round, their number, example counts and bytes (clients.jsonl, metrics.jsonl, and "
    "proofs/ of a run with proofs)",
)
_NOT_COVERED = (
    "clients' own states in clients/ and their SHA-256 in checkpoints/*/state.npz, "
    "which a real federation leaves with the clients",
    "when the run was stopped, where a callback of the user's stopped it",
    "which clients took part and when, as far as the clients' states and the simulated seconds in checkpoints tell",
    "other runs on the same data, such as that of model.initial_weights: epsilons add up",
    "hyperparameters that were chosen by looking at other runs on the same data",
)
_OF_SINGLE_UPDATES = (
    "single updates, which are not encrypted: what the coordinator sees of one is not covered"
)
_OF_ENCRYPTION = (
    "whether a round had enough updates to be opened: one with fewer is void, and seen to be",
    "who can read the memory of this computer: all roles of the encryption, and every key, are in one simulation",
)
_OF_EXAMPLES = (
    "how many examples a client has, and its training metrics, which the server sees",
    "which examples a client has at all: how a partition deals them out, and which rows of a file become the test set, "
    "are taken as fixed",
)


def privacy_statement(
    event: Event,
    sampling: Sampling,
    target: PrivacyTarget,
    *,
    releases: int,
    reproducible_noise: bool,
    records: Sequence[Mapping[str, Any]] = (),
    published: Collection[str] | None = (),
    encryption: Concealment | None = None,
) -> dict[str, Any]:
    """Content of privacy.json after `releases` rounds.

    Args:
        event: what one round releases.
        sampling: how cohorts are drawn.
        target: delta and budget.
        releases: rounds charged so far, void ones included.
        reproducible_noise: whether the noise follows from the seed; who knows the seed can remove it.
        records: the rounds of metrics.jsonl so far, with their epsilons.
        published: names of the figures that were published without noise; None if the run publishes noised ones only.
        encryption: of the updates, if they are encrypted.
    """
    mechanism, accountant = mechanism_of(event), accountant_for(event, sampling)
    figures = () if published is None else _FIGURES_NOT_COVERED
    if encryption is not None:
        figures = (*_OF_ENCRYPTION, *figures)
    elif mechanism.needs_encryption:
        figures = (_OF_SINGLE_UPDATES, *figures)
    if accountant.unit == "example":
        figures = (*_OF_EXAMPLES, *figures)
    others = "" if published is None else "; not readers of metrics.jsonl, clients.jsonl or proofs/"
    composed = accountant.event(releases)
    if event.noise_multiplier == 0:
        noise = "none: the noise multiplier is 0, so this run protects nobody"
    # Noise that somebody can compute again protects nobody, however large it is.
    elif reproducible_noise:
        noise = "drawn from the experiment's seed: whoever knows the seed can take it away; protects nobody"
    else:
        noise = mechanism.noise
    weaker = {who: _finite(law(releases, target.delta)) for who, law in accountant.weaker.items()}
    return {
        "unit": accountant.unit,
        "relation": accountant.relation,
        "mechanism": mechanism.words(event),
        "clip_norm": _finite(event.clip_norm),
        "noise_multiplier": event.noise_multiplier,
        "sampling": words.described(sampling),
        # Another version may compute another epsilon of the same events.
        "accountant": {"name": accountant.name, "package": f"dp-accounting {version('dp-accounting')}"},
        "events": [{"event": serialised(composed.event), "count": composed.count}],
        "rounds": releases,
        "delta": target.delta,
        "epsilon": _finite(accountant.epsilon(releases, target.delta)),
        "weaker_epsilons": weaker,
        "epsilon_after_round": {
            str(record["round"]): record["epsilon"] for record in records if "epsilon" in record
        },
        "budget": target.epsilon,
        "holds_for": f"{words.holds_for(accountant.against, event, encryption)}{others}",
        "warnings": words.warnings(event, sampling, target.delta, encryption=encryption),
        "not_covered": [*figures, *_NOT_COVERED],
        "published_without_noise": sorted(published or ()),
        "noise": noise,
    }


def serialised(event: Any) -> Any:
    """An event of dp-accounting, or of fedcli, as JSON: its type and its fields."""
    if is_dataclass(event) and not isinstance(event, type):
        fields = {name: serialised(value) for name, value in asdict(event).items()}
        return {"type": type(event).__name__, **fields}
    if hasattr(event, "to_named_tuple"):
        names = event.to_named_tuple()._fields[2:]  # after the names of the module and the type
        return {"type": type(event).__name__, **{name: serialised(getattr(event, name)) for name in names}}
    return _finite(event) if isinstance(event, float) else event


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
