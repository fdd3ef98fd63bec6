"""Training and evaluation of single clients: arrays in, a `ClientUpdate` out."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import NamedTuple, final

import numpy as np
from cachetools import LRUCache

from fedcli.components.clients.runtime.batches import (
    PADDING,
    BatchPlan,
    draw_batches,
    padded_length,
    shared_length,
)
from fedcli.components.clients.runtime.program import ClientInputs, ClientOutputs, Programs
from fedcli.components.clients.runtime.tensors import (
    count_on_device,
    padded_on_device,
    shared_with_device,
    to_device,
    vector_of,
)
from fedcli.components.clients.trainer import Tensor
from fedcli.core.contracts import Extra
from fedcli.core.errors import InvalidUpdateError
from fedcli.core.roles import FederationLike
from fedcli.core.rounds import Assignment, Broadcast, ClientUpdate
from fedcli.core.seeds import generator, seed
from fedcli.core.types import Array, Tree, Vector, Weighting
from fedcli.crypto.noise import KEY_BYTES

STATISTICS, PERSONAL = "statistics", "personal"
"""Entries of a client's state: its own non-trainable weights (`non_trainable: local`) and its personal weights."""

_NONE: Vector = np.zeros(0, np.float32)


class LocalSettings(NamedTuple):
    """How every client of a run trains.

    Args:
        root: the experiment's seed.
        plan: batch size and length of local training.
        weighting: the weight of a client in the aggregate.
        non_trainable: `federated` (sent and averaged), `local` (each client keeps its own) or `frozen`.
        metric_names: names of the M figures of the compiled programs.
        num_seeds: number of random states of layers such as Dropout.
        fixed_shapes: pad examples and batches, because XLA compiles for fixed shapes.
        keeps: what the trainer keeps of a client from one participation to the next.
        personal: initial personal weights of every client, shape [R].
        personalise: `(global weights, kept state)` -> the client's own weights, for trainers that keep a model.
        draws_batches: whether the trainer takes Poisson batches, which protect an example only if they are secret.
        noise: the noise of the trainer's steps, as `TrainerSpec` has it.
        reproducible_noise: draw both from the seed instead of the operating system.
        largest: training examples of the largest client, by whose shapes smaller ones are padded; 0 if unknown.
        cache_bytes: device memory for the clients' data; the least recently used data are dropped first.
    """

    root: int
    plan: BatchPlan
    weighting: Weighting
    non_trainable: str
    metric_names: tuple[str, ...]
    num_seeds: int
    fixed_shapes: bool
    keeps: tuple[Extra, ...] = ()
    personal: Vector = _NONE
    personalise: Callable[[Vector, Tree], Vector] | None = None
    draws_batches: bool = False
    noise: Callable[[int, bytes], Array] | None = None
    reproducible_noise: bool = False
    largest: int = 0
    cache_bytes: int = 2**31


class DeviceBroadcast(NamedTuple):
    """A broadcast on the device, whose tensors all clients of the round share."""

    source: Broadcast
    weights: Tensor
    personal: Tensor
    statistics: Tensor
    scale: Tensor
    extras: dict[str, Tensor]


class _ClientTensors(NamedTuple):
    x: Tensor
    y: Tensor
    num_examples: int
    num_bytes: int


@final
class KerasRuntime:
    """Trains and evaluates single clients; holds the compiled programs and the clients' data on the device.

    All methods are safe to call from several threads at once.
    """

    def __init__(self, programs: Programs, federation: FederationLike, settings: LocalSettings) -> None:
        self._programs = programs
        self._federation = federation
        self._settings = settings
        # A client larger than the cache counts as filling it, because LRUCache refuses larger items.
        self._cache: LRUCache[int, _ClientTensors] = LRUCache(
            settings.cache_bytes, getsizeof=lambda tensors: min(tensors.num_bytes, settings.cache_bytes)
        )
        self._lock = threading.Lock()
        self._no_seeds = to_device(np.zeros((0, 2), np.int64))
        self._no_noise = to_device(np.zeros((0, 0), np.int32))

    @property
    def compiler(self) -> str:
        """The compiler of the client program; it changes bits, so that it is recorded with the run."""
        return "XLA" if self._settings.fixed_shapes else "TensorFlow graph"

    @property
    def num_traces(self) -> int:
        """How often the client program was traced: once, unless shapes or types differ by mistake."""
        return self._programs.traces()

    def prepare(self, broadcast: Broadcast) -> DeviceBroadcast:
        """A round's broadcast on the device, once for all clients; its weights may be the broadcast's own memory."""
        return DeviceBroadcast(
            broadcast,
            shared_with_device(broadcast.weights),
            to_device(self._settings.personal),
            to_device(broadcast.statistics),
            to_device(np.float32(broadcast.learning_rate_scale)),
            {name: to_device(np.asarray(v, np.float32)) for name, v in broadcast.extras.items()},
        )

    def personal(self, broadcast: Broadcast, state: Tree) -> DeviceBroadcast:
        """Copy one client's own model to the device: the broadcast, with the parts that the client keeps."""
        personalise = self._settings.personalise
        weights = personalise(broadcast.weights, state) if personalise and state else broadcast.weights
        # Evaluation uses no extras of the server, so that they are not copied to the device.
        start = self.prepare(replace(broadcast, weights=weights, extras={}))
        own = {name: to_device(state[name]) for name in (STATISTICS, PERSONAL) if name in state}
        return start._replace(**own)

    def train(self, start: DeviceBroadcast, assignment: Assignment) -> ClientUpdate:
        """Train one client from the broadcast, and return its update before any transform.

        Raises:
            InvalidUpdateError: if the client has no training examples.
        """
        begun = time.perf_counter()
        client = assignment.client
        tensors = self._tensors(client)
        if not tensors.num_examples:
            raise InvalidUpdateError("the client has no training examples")
        rng = self._generator(start.source.round, client, "batches")
        # All batches are drawn first, so that a client that stops early trains on the same first batches.
        rows = draw_batches(tensors.num_examples, self._settings.plan, rng)[: assignment.steps]
        outputs = self._programs.train(self._inputs(start, assignment, tensors, rows))
        return self._update(client, tensors.num_examples, outputs, begun)

    def measure(self, start: DeviceBroadcast, x: Array, y: Array) -> Mapping[str, float]:
        """Sums of the loss and the metrics over the examples, with the weights of `start`."""
        sums = self._programs.measure(
            start.weights, start.personal, start.statistics, to_device(x), to_device(y)
        ).numpy()
        return dict(zip(self._settings.metric_names, sums.tolist(), strict=True))

    def predict(self, start: DeviceBroadcast, x: Array) -> Array:
        """The probability of each class for each example, shape [B, C], with the weights of `start`."""
        made: Array = self._programs.predict(
            start.weights, start.personal, start.statistics, to_device(x)
        ).numpy()
        return made

    def _tensors(self, client: int) -> _ClientTensors:
        # The cache is not safe for several threads.
        with self._lock:
            cached = self._cache.get(client)
        if cached is not None:
            return cached
        # Outside of the lock, so that threads prepare different clients at the same time.
        data = self._federation.client(client)
        count = length = len(data.x_train)
        each = (data.x_train.nbytes + data.y_train.nbytes) // max(count, 1)
        if self._settings.fixed_shapes:
            length = shared_length(count, largest=self._settings.largest, item_bytes=each)
        x, y = (padded_on_device([own], length) for own in (data.x_train, data.y_train))
        tensors = _ClientTensors(x, y, count, each * length)
        with self._lock:
            self._cache[client] = tensors
        return tensors

    def _generator(self, round: int, client: int, purpose: str) -> np.random.Generator:
        # Privacy rests on secret randomness: who is in a batch must not follow from the published seed.
        if self._settings.draws_batches and not self._settings.reproducible_noise:
            return np.random.Generator(np.random.Philox(key=secrets.randbits(128)))
        return generator(self._settings.root, round, client, purpose)

    def _noise(self, start: DeviceBroadcast, client: int, steps: tuple[int, int]) -> Tensor:
        """The noise of the first of two numbers of steps, padded to the second."""
        if self._settings.noise is None:
            return self._no_noise
        if self._settings.reproducible_noise:
            key = generator(self._settings.root, start.source.round, client, "gradient noise").bytes(
                KEY_BYTES
            )
        else:
            key = secrets.token_bytes(KEY_BYTES)
        # All steps at once, because the sampler costs as much for a few numbers as for thousands.
        size, (drawn, padded) = start.source.weights.size, steps
        return to_device(_pad(self._settings.noise(drawn * size, key).reshape(drawn, size), padded, 0))

    def _inputs(
        self, start: DeviceBroadcast, assignment: Assignment, tensors: _ClientTensors, rows: Array
    ) -> ClientInputs:
        # Counted before padding: padded batches are not trained on.
        num_steps = len(rows)
        if self._settings.fixed_shapes:
            # As many as the padded examples would make, so that partial work adds no shape to compile a program for.
            most = self._settings.plan.num_steps(tensors.x.shape[0])
            rows = _pad(rows, padded_length(most), PADDING)
        own = assignment.state
        return ClientInputs(
            weights=start.weights,
            personal=to_device(own[PERSONAL]) if PERSONAL in own else start.personal,
            statistics=to_device(own[STATISTICS]) if STATISTICS in own else start.statistics,
            seeds=self._seeds(start.source.round, assignment.client),
            learning_rate_scale=start.scale,
            extras=start.extras,
            state={extra.name: self._kept(start, own, extra) for extra in self._settings.keeps},
            x=tensors.x,
            y=tensors.y,
            num_examples=count_on_device(tensors.num_examples),
            rows=to_device(rows),
            num_steps=count_on_device(num_steps),
            noise=self._noise(start, assignment.client, (num_steps, len(rows))),
        )

    def _kept(self, start: DeviceBroadcast, own: Tree, extra: Extra) -> Tensor:
        if extra.name in own:
            return to_device(np.asarray(own[extra.name], np.float32))
        if extra.start == "global":
            return start.weights
        shape = start.source.weights.shape if extra.size == "model" else ()
        return to_device(np.zeros(shape, np.float32))

    def _update(self, client: int, num_examples: int, outputs: ClientOutputs, begun: float) -> ClientUpdate:
        settings = self._settings
        moved = _NONE if outputs.statistics is None else outputs.statistics.numpy()
        payload = vector_of(outputs.payload)
        # With `local` and `frozen` the server receives no statistics.
        federated = moved if settings.non_trainable == "federated" else moved[:0]
        keeps = [(extra, outputs.keeps[extra.name]) for extra in settings.keeps]
        state = {x.name: vector_of(kept) if x.size == "model" else kept[0].numpy() for x, kept in keeps}
        if settings.non_trainable == "local" and moved.size:
            state[STATISTICS] = moved
        if outputs.personal is not None:
            state[PERSONAL] = outputs.personal.numpy()
        return ClientUpdate(
            client=client,
            payload=payload,
            weight=float(num_examples) if settings.weighting == "examples" else 1.0,
            num_examples=num_examples,
            statistics=federated,
            state=state,
            metrics=dict(zip(settings.metric_names, outputs.means.numpy().tolist(), strict=True)),
            bytes_up=payload.nbytes + federated.nbytes,
            seconds=time.perf_counter() - begun,
        )

    def _seeds(self, round: int, client: int) -> Tensor:
        if not self._settings.num_seeds:
            return self._no_seeds
        root = seed(self._settings.root, round, client, "dropout")
        # Keras reads the first number as the seed, and counts draws in the second.
        states = [[(root + layer) % 2**31, 0] for layer in range(self._settings.num_seeds)]
        return to_device(np.asarray(states, np.int64).reshape(-1, 2))


def _pad(array: Array, length: int, value: int) -> Array:
    if len(array) == length:
        return array
    padding = np.full((length - len(array), *array.shape[1:]), value, array.dtype)
    return np.concatenate([array, padding])
