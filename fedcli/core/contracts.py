"""The parts of an experiment, as tuples of pure functions: state goes in and comes out, as a `Tree`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from fedcli.core.column import Column
from fedcli.core.factories import Spec
from fedcli.core.privacy_events import Event, ExampleEvent, is_noised_by_clients
from fedcli.core.rounds import (
    Aggregate,
    ClientUpdate,
    Report,
)
from fedcli.core.sampling_scheme import PrivacyTarget, Sampling
from fedcli.core.transform import Transform
from fedcli.core.types import Array, Payload, Tree, Vector, Weighting


class Aggregator(NamedTuple):
    """A rule that makes one aggregate of a stream of updates.

    Args:
        init: number of parameters -> state.
        aggregate: `(updates, num_parameters, state)` -> `(aggregate, state)`; an empty stream has weight 0.
        accepts: the types of payload that it supports.
        is_sum: whether its value is a plain sum, so that encryption and central noise can follow it.
        min_clients: least number of updates that the rule supports; with fewer the model does not change.
        uses_weights: whether the clients' weights change the result.
        divides_by: what the value is divided by: the sum of the weights, or the number of updates.
        made: how it was made; None if that is not recorded.
        takes_sums: whether it supports updates of which a worker has summed whole blocks (`ClientUpdate.summed`).
    """

    name: str
    init: Callable[[int], Tree]
    aggregate: Callable[[Iterable[ClientUpdate], int, Tree], tuple[Aggregate, Tree]]
    accepts: tuple[Payload, ...]
    is_sum: bool
    min_clients: int = 1
    uses_weights: bool = True
    divides_by: Literal["weights", "updates"] = "weights"
    made: Spec | None = None
    takes_sums: bool = False


def _nothing(_state: Tree) -> Tree:
    return {}


class ServerOptimizer(NamedTuple):
    """How the server moves the global weights along the mean update.

    Args:
        init: weights [P] -> state.
        apply: `(weights, mean, state, share)` -> `(weights, state)`; weights are [P] and float32. The mean
            is float64: the mean delta [P], then what else the trainer sends. The share is the part of the
            population whose updates were accepted.
        broadcast: state -> vectors [P] that every client receives, by name.
        takes: names of what it expects after the mean delta, in the order in which the trainer sends it.
        gives: names of the vectors that it broadcasts.
        uses_share: whether `share` changes the result.
        made: how it was made; None if that is not recorded.
    """

    name: str
    init: Callable[[Vector], Tree]
    apply: Callable[[Vector, Array, Tree, float], tuple[Vector, Tree]]
    broadcast: Callable[[Tree], Tree] = _nothing
    takes: tuple[str, ...] = ()
    gives: tuple[str, ...] = ()
    uses_share: bool = False
    made: Spec | None = None


class Extra(NamedTuple):
    """An extra vector or scalar that a local algorithm sends or keeps.

    Args:
        name: its name.
        size: a vector as long as the model, or one number.
        start: its value before a client's first participation: zero, or the global weights.
    """

    name: str
    size: Literal["model", "scalar"] = "model"
    start: Literal["zeros", "global"] = "zeros"


class TrainerSpec(NamedTuple):
    """Which local algorithm the clients run, before there is a model.

    Args:
        name: its name.
        build: `clients.trainer.Learner` -> `clients.trainer.ClientTrainer`. It imports TensorFlow when it
            is called, so that a recipe can be listed without.
        sends: what follows the delta in the payload, in this order.
        keeps: what a client keeps from one participation to the next.
        receives: names of the server optimizer's vectors that it needs.
        personal: glob pattern of weights that stay with the clients (`"dense_1/*"`; `"BatchNormalization/*"`
            by the kind of layer), or None.
        personalise: `(global weights [P], kept state)` -> the client's own weights [P]; None if they are the global
            ones.
        one_pass: trains exactly one pass over the data, whatever the config's epochs or steps.
        plain_sgd: needs clients that step along their gradient: SGD without momentum.
        linear_steps: needs clients whose update is linear in their gradients: SGD without weight decay.
        privacy: the event of one participation, for a trainer that protects its client's examples. Its steps
            and Poisson batches are those of the event, whatever the config's epochs, steps and batch size.
        made: how it was made; None if that is not recorded.
        needs_local_statistics: needs a model whose BatchNorm statistics stay with the clients.
        noise: `(size, 32-byte key)` -> the noise that its steps add, in whole steps of a grid, int32 [size]; None for
            a trainer that adds none.
    """

    name: str
    build: Callable[[Any], Any]
    sends: tuple[Extra, ...] = ()
    keeps: tuple[Extra, ...] = ()
    receives: tuple[str, ...] = ()
    personal: str | None = None
    personalise: Callable[[Vector, Tree], Vector] | None = None
    one_pass: bool = False
    plain_sgd: bool = False
    linear_steps: bool = False
    privacy: ExampleEvent | None = None
    made: Spec | None = None
    needs_local_statistics: bool = False
    noise: Callable[[int, bytes], Array] | None = None

    def payload_size(self, num_parameters: int) -> int:
        """Length of a payload for a model of P parameters."""
        return num_parameters + sum(num_parameters if x.size == "model" else 1 for x in self.sends)

    @property
    def is_personal(self) -> bool:
        """Whether every client ends up with a model of its own."""
        return self.personal is not None or self.personalise is not None


class Buffer(NamedTuple):
    """Asynchronous rounds: the server moves whenever `size` updates have come in.

    Args:
        size: updates of one round.
        discount: staleness (server steps since the client received the model) -> factor on its update.
        max_staleness: staleness above which an update is not used; None for never.
        made: how it was made; None if no config can say it.
    """

    size: int
    discount: Callable[[int], float]
    max_staleness: int | None = None
    made: Spec | None = None

    def is_stale(self, staleness: int) -> bool:
        """Whether an update is too old to be used."""
        return self.max_staleness is not None and staleness > self.max_staleness

    def most_models(self, *, at_work: int, rounds: int) -> int:
        """Largest number of models that are kept at once, because somebody still trains from them."""
        # In the worst case every client at work started from a different model.
        bounds = (at_work, rounds, at_work if self.max_staleness is None else self.max_staleness)
        return min(bounds)


class Strategy(NamedTuple):
    """A recipe of parts: how clients train, what happens to their updates, how the server moves.

    Args:
        keeps_partial_work: whether the update of a client that could not finish its work is used.
        buffer: for strategies whose rounds are asynchronous.
    """

    name: str
    trainer: TrainerSpec
    aggregator: Aggregator
    server: ServerOptimizer
    transforms: Sequence[Transform] = ()
    weighting: Weighting = "uniform"
    privacy: PrivacyTarget | None = None
    keeps_partial_work: bool = False
    buffer: Buffer | None = None

    def payload_sizes(self, num_parameters: int) -> list[int]:
        """Length of the payload before each transform, and after the last one, for a model of P parameters."""
        sizes = [self.trainer.payload_size(num_parameters)]
        for part in self.transforms:
            sizes.append(sizes[-1] + part.adds(sizes[-1]))
        return sizes

    def sized_transforms(self, num_parameters: int) -> list[tuple[Transform, int]]:
        """Each transform with the length of the payload that it takes, for a model of P parameters."""
        return list(zip(self.transforms, self.payload_sizes(num_parameters), strict=False))

    def payload_size(self, num_parameters: int) -> int:
        """Length of a payload after all transforms, for a model of P parameters."""
        return self.payload_sizes(num_parameters)[-1]

    def bytes_up(self, num_parameters: int) -> int:
        """Bytes of a payload and its attachments as a client sends them."""
        coded, attached = 4 * self.payload_size(num_parameters), 0
        for part, size in self.sized_transforms(num_parameters):
            # The last code is what is sent: it replaces what the transforms before it would have sent.
            coded = part.coded_bytes(size) if part.coded_bytes else coded
            attached += part.attached_bytes(size)
        return coded + attached

    @property
    def min_updates(self) -> int:
        """Least number of updates; with fewer the transforms release nothing."""
        return max((part.min_clients for part in self.transforms), default=0)

    @property
    def columns(self) -> list[Column]:
        """The columns of metrics.jsonl that its transforms add, each once."""
        # A dict and not a set, because columns are shown in this order.
        return list(dict.fromkeys(column for part in self.transforms for column in part.columns))

    @property
    def privacy_events(self) -> list[Event]:
        """The events of its trainer and its transforms; a valid strategy has one at most."""
        declared = [self.trainer.privacy, *(part.privacy for part in self.transforms)]
        return [event for event in declared if event is not None]

    @property
    def privacy_event(self) -> Event | None:
        """The event that the accountant charges in each round."""
        return next(iter(self.privacy_events), None)

    @property
    def is_noised_by_clients(self) -> bool:
        """Whether a round releases something as soon as the first client has sent its update."""
        return any(is_noised_by_clients(event) for event in self.privacy_events)


def _remembers_nothing(_num_examples: Array) -> Tree:
    return {}


class Cohort(NamedTuple):
    """Which clients take part in a round.

    Args:
        sample: `(rng, num_clients, state)` -> sorted client numbers.
        expected_size: number of clients -> the planned size, a constant of the config.
        sampling: number of clients -> the scheme as the privacy accountant knows it.
        separation: number of groups of clients that take turns; `sample` draws from the group whose turn it is. 1 for
            a cohort that observes, which draws from all clients.
        init: the clients' numbers of training examples, int [N] -> state before the first round. It raises a
            `ConfigError` if no cohort can be drawn from these clients. What never changes, such as something of every
            client, is in the entry `FIXED`, which no checkpoint has.
        observe: `(reports, state)` -> state after a round, void rounds included; the reports are those of the round's
            clients, in the order of their updates. None for a cohort that does not look at what clients report.
    """

    name: str
    sample: Callable[[np.random.Generator, int, Tree], npt.NDArray[np.int64]]
    expected_size: Callable[[int], float]
    sampling: Callable[[int], Sampling]
    separation: int = 1
    init: Callable[[Array], Tree] = _remembers_nothing
    observe: Callable[[Sequence[Report], Tree], Tree] | None = None

    @property
    def observes(self) -> bool:
        """Whether later cohorts depend on what clients reported in earlier rounds."""
        return self.observe is not None
