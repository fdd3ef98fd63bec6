"""Training of blocks of clients: arrays in, one `ClientUpdate` a client out."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import final

import numpy as np

from fedcli.components.clients.runtime.batches import PADDING, draw_batches, padded_length
from fedcli.components.clients.runtime.block_program import BlockInputs, BlockOutputs
from fedcli.components.clients.runtime.keras_runtime import DeviceBroadcast, LocalSettings
from fedcli.components.clients.runtime.program import to_device
from fedcli.core.contracts import Extra
from fedcli.core.roles import FederationLike
from fedcli.core.rounds import Assignment, ClientData, ClientUpdate
from fedcli.core.seeds import generator
from fedcli.core.types import Array


@final
class ClientBlocks:
    """Trains clients of a tiny model together. The program is traced at the first use.

    Args:
        compile_program: traces the program, or raises a `ConfigError` with the reason why it cannot.
        federation: the clients' data.
        settings: how every client of the run trains.
    """

    def __init__(
        self,
        compile_program: Callable[[], Callable[[BlockInputs], BlockOutputs]],
        federation: FederationLike,
        settings: LocalSettings,
    ) -> None:
        self._compile, self._federation, self._settings = compile_program, federation, settings
        self._program: Callable[[BlockInputs], BlockOutputs] | None = None
        self._lock = threading.Lock()

    def program(self) -> Callable[[BlockInputs], BlockOutputs]:
        """The traced program.

        Raises:
            ConfigError: if these clients cannot be trained in blocks.
        """
        with self._lock:
            self._program = self._program or self._compile()
            return self._program

    def num_steps(self, num_examples: int) -> int:
        """The number of batches of a client."""
        return self._settings.plan.num_steps(num_examples)

    def train(self, start: DeviceBroadcast, assignments: Sequence[Assignment]) -> list[ClientUpdate]:
        """Train clients that all have examples, from the same broadcast; the updates are in their order."""
        begun, settings = time.perf_counter(), self._settings
        data = [self._federation.client(each.client) for each in assignments]
        rows = [self._rows(start, each, own) for each, own in zip(assignments, data, strict=True)]
        outputs = self.program()(self._inputs(start, assignments, data, rows))
        payload, means = outputs.payload.numpy(), outputs.means.numpy()
        keeps = {name: value.numpy() for name, value in outputs.keeps.items()}
        # The time of the block, shared out by its steps: nobody trained alone.
        seconds = (time.perf_counter() - begun) / max(sum(map(len, rows)), 1)
        return [
            ClientUpdate(
                client=assignment.client,
                payload=payload[place],
                weight=float(len(own.x_train)) if settings.weighting == "examples" else 1.0,
                num_examples=len(own.x_train),
                statistics=np.zeros(0, np.float32),
                state={name: value[place] for name, value in keeps.items()},
                metrics=dict(zip(settings.metric_names, means[place].tolist(), strict=True)),
                bytes_up=payload[place].nbytes,
                seconds=seconds * len(rows[place]),
            )
            for place, (assignment, own) in enumerate(zip(assignments, data, strict=True))
        ]

    def _rows(self, start: DeviceBroadcast, assignment: Assignment, own: ClientData) -> Array:
        # The same draw as for a client that trains alone.
        rng = generator(self._settings.root, start.source.round, assignment.client, "batches")
        return draw_batches(len(own.x_train), self._settings.plan, rng)[: assignment.steps]

    def _inputs(
        self,
        start: DeviceBroadcast,
        assignments: Sequence[Assignment],
        data: Sequence[ClientData],
        rows: Sequence[Array],
    ) -> BlockInputs:
        # Coarse shapes, because XLA takes half a second for each: padding is gathered by nobody.
        places, width = padded_length(len(assignments)), rows[0].shape[1]
        batches = np.full((places, _coarse(max(map(len, rows))), width), PADDING, np.int32)
        num_steps, first = np.zeros(places, np.int32), 0
        for place, (own, drawn) in enumerate(zip(data, rows, strict=True)):
            num_steps[place] = len(drawn)
            batches[place, : len(drawn)] = np.where(drawn >= 0, drawn + first, PADDING)
            first += len(own.x_train)
        return BlockInputs(
            weights=start.weights,
            learning_rate_scale=start.scale,
            extras=start.extras,
            state={x.name: self._kept(start, assignments, x, places) for x in self._settings.keeps},
            x=_joined([own.x_train for own in data], _coarse(first)),
            y=_joined([own.y_train for own in data], _coarse(first)),
            rows=to_device(batches),
            num_steps=to_device(num_steps),
        )

    def _kept(
        self, start: DeviceBroadcast, assignments: Sequence[Assignment], extra: Extra, places: int
    ) -> object:
        weights = start.source.weights
        kept = np.zeros((places, *(weights.shape if extra.size == "model" else ())), np.float32)
        for place, assignment in enumerate(assignments):
            own: Mapping[str, Array] = assignment.state
            if extra.name in own:
                kept[place] = own[extra.name]
            elif extra.start == "global":
                kept[place] = weights
        return to_device(kept)


def _joined(arrays: Sequence[Array], length: int) -> object:
    whole = np.zeros((length, *arrays[0].shape[1:]), arrays[0].dtype)
    np.concatenate(arrays, out=whole[: sum(map(len, arrays))])
    return to_device(whole)


def _coarse(length: int) -> int:
    """The next power of four."""
    return 1 << (max(length - 1, 0).bit_length() + 1) // 2 * 2
