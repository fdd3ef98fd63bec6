"""Description of a strategy for `fedcli show`: its components in the order of a round, as data."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from fedcli.core.contracts import Aggregator, Strategy, TrainerSpec
from fedcli.core.privacy_events import UnitName
from fedcli.core.transform import Transform
from fedcli.core.types import Payload, Weighting
from fedcli.privacy import mechanism_of

_COUNTED: dict[Weighting, str] = {
    "uniform": "every client counts the same",
    "examples": "weighted by the clients' examples",
}


@dataclass(frozen=True)
class LocalAlgorithm:
    """The local algorithm.

    Args:
        name: its name.
        sends: what a client sends beside its update.
        keeps: what a client keeps from one participation to the next.
        receives: what the server sends beside the weights.
        personal: glob pattern of the weights that never leave a client.
        own_model: whether each client trains a personal model.
        needs: the local optimizer that it requires; None if any is supported.
    """

    name: str
    sends: tuple[str, ...]
    keeps: tuple[str, ...]
    receives: tuple[str, ...]
    personal: str | None
    own_model: bool
    needs: str | None


@dataclass(frozen=True)
class TransformDescription:
    """A transform: its payloads, and whether it acts on clients, on arrival and on the server."""

    name: str
    takes: Payload
    gives: Payload
    on_client: bool
    on_arrival: bool
    on_server: bool


@dataclass(frozen=True)
class Rule:
    """The aggregator; encryption and central noise need one that is a sum."""

    name: str
    weighting: Weighting
    is_sum: bool
    min_clients: int


@dataclass(frozen=True)
class Protection:
    """The privacy event of a round, or of each local step, and the budget.

    The noise multiplier is None if it is calibrated to epsilon, since calibration needs the number of clients.
    """

    mechanism: str
    noise_multiplier: float | None
    clip_norm: float | None
    delta: float | None
    epsilon: float | None
    unit: UnitName = "client"


@dataclass(frozen=True)
class Expansion:
    """The components of a strategy, in the order of a round."""

    clients: LocalAlgorithm
    transforms: tuple[TransformDescription, ...]
    aggregator: Rule
    server: str
    privacy: Protection | None
    keeps_partial_work: bool = False
    buffer_size: int | None = None

    def as_dict(self) -> dict[str, Any]:
        """Nested mappings of plain values."""
        return asdict(self)

    @property
    def line(self) -> str:
        """The path of an update in one line, without values of parameters."""
        encoded = [part.name for part in self.transforms if part.on_client]
        # The server undoes in the opposite order what clients did.
        decoded = [part.name for part in reversed(self.transforms) if part.on_server]
        weighted = " by examples" if self.aggregator.weighting == "examples" else ""
        middle = [*encoded, self.aggregator.name + weighted, *decoded]
        return " -> ".join([f"{self.clients.name} clients{self._aside}", *middle, f"{self.server} server"])

    @property
    def rows(self) -> list[tuple[str, str]]:
        """`(component, description)` for each line, with the values of this strategy."""
        return list(self._rows())

    @property
    def _aside(self) -> str:
        clients = self.clients
        moves = {"send": clients.sends, "keep": clients.keeps, "receive": clients.receives}
        said = [f"{verb} {_listed(names)}" for verb, names in _merged(moves).items()]
        said += ["keep some layers"] if clients.personal else []
        return f" ({'; '.join(said)})" if said else ""

    def _rows(self) -> Iterator[tuple[str, str]]:
        clients, rule = self.clients, self.aggregator
        yield (
            "clients",
            f"train by {clients.name}" + (f", which needs {clients.needs}" if clients.needs else ""),
        )
        yield "send", " and ".join(["their update", *clients.sends])
        if clients.receives:
            yield "receive", " and ".join(["the weights", *clients.receives])
        if kept := [*clients.keeps, *([f"the weights {clients.personal}"] if clients.personal else [])]:
            yield "keep", " and ".join(kept)
        for part in self.transforms:
            places = {"client": part.on_client, "arrival": part.on_arrival, "server": part.on_server}
            where = _listed([place for place, acts in places.items() if acts] or ["no side"])
            yield "transform", f"{part.name}: {part.takes} -> {part.gives}, acts on {where}"
        least = f", {rule.min_clients} clients or more" if rule.min_clients > 1 else ""
        kind = "a sum" if rule.is_sum else "over single updates"
        yield "aggregate", f"{rule.name}, {kind}, {_COUNTED[rule.weighting]}{least}"
        yield "server", self.server
        if self.keeps_partial_work:
            yield "stragglers", "their unfinished work is used"
        if self.buffer_size is not None:
            yield "rounds", f"asynchronous: one flush of a buffer of {self.buffer_size} updates"
        if self.privacy is not None:
            yield "privacy", _privacy_text(self.privacy)


def expand(strategy: Strategy) -> Expansion:
    """Describe `strategy`."""
    return Expansion(
        _local(strategy.trainer),
        tuple(_transform(transform) for transform in strategy.transforms),
        _rule(strategy.aggregator, strategy.weighting),
        strategy.server.name,
        _protection(strategy),
        strategy.keeps_partial_work,
        None if strategy.buffer is None else strategy.buffer.size,
    )


def _local(spec: TrainerSpec) -> LocalAlgorithm:
    needs = "sgd without momentum" if spec.plain_sgd else "sgd" if spec.linear_steps else None
    return LocalAlgorithm(
        spec.name,
        sends=tuple(extra.name for extra in spec.sends),
        keeps=tuple(extra.name for extra in spec.keeps),
        receives=spec.receives,
        personal=spec.personal,
        own_model=spec.is_personal,
        needs=needs,
    )


def _transform(transform: Transform) -> TransformDescription:
    return TransformDescription(
        transform.name,
        transform.takes,
        transform.gives,
        on_client=transform.acts_on_clients,
        on_arrival=transform.acts_on_arrival,
        on_server=transform.acts_on_server,
    )


def _rule(aggregator: Aggregator, weighting: Weighting) -> Rule:
    return Rule(aggregator.name, weighting, aggregator.is_sum, aggregator.min_clients)


def _protection(strategy: Strategy) -> Protection | None:
    event = strategy.privacy_event
    if event is None:
        return None
    target = strategy.privacy
    return Protection(
        mechanism_of(event).words(event),
        event.noise_multiplier if target is None or target.is_calibrated else None,
        getattr(event, "clip_norm", None),
        None if target is None else target.delta,
        None if target is None else target.epsilon,
        mechanism_of(event).unit,
    )


def _merged(moves: dict[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
    """Join verbs with the same objects: "send and keep"."""
    merged: dict[tuple[str, ...], list[str]] = {}
    for verb, names in moves.items():
        if names:
            merged.setdefault(names, []).append(verb)
    return {_listed(verbs): names for names, verbs in merged.items()}


def _listed(words: tuple[str, ...] | list[str]) -> str:
    *first, last = words
    return f"{', '.join(first)} and {last}" if first else last


def _privacy_text(event: Protection) -> str:
    budget = "no budget" if event.epsilon is None else f"stops before epsilon {event.epsilon:g}"
    delta = "" if event.delta is None else f" at delta {event.delta:g}"
    bound = "the sensitivity" if event.clip_norm is None else f"clip norm {event.clip_norm:g}"
    protects = "" if event.unit == "client" else "; it protects an example and not a client"
    noise = "as much as the budget needs" if event.noise_multiplier is None else f"{event.noise_multiplier:g}"
    return f"{event.mechanism}: {noise} x {bound}{delta}{protects}; {budget}"
