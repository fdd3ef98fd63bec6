"""Training of blocks of clients: arrays in, one `ClientUpdate` a client out."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import final

import numpy as np

from fedcli.components.clients.runtime.batches import PADDING, draw_batches
from fedcli.components.clients.runtime.block_program import BlockInputs, BlockOutputs
from fedcli.components.clients.runtime.joined_examples import Joined, JoinedExamples, coarse
from fedcli.components.clients.runtime.keras_runtime import DeviceBroadcast, LocalSettings
from fedcli.components.clients.runtime.tensors import to_device
from fedcli.core.contracts import Extra
from fedcli.core.rounds import Assignment, ClientUpdate
from fedcli.core.seeds import generators
from fedcli.core.types import Array

_NONE = np.zeros(0, np.float32)
# Batches of a program, of which most blocks have less, and the bytes of row numbers that they may take for it.
_FEWEST_BATCHES, _FEW_BYTES = 16**3, 2**18


@final
class ClientBlocks:
    """Trains clients of a tiny model together. The program is traced at the first use.

    Args:
        compile_program: traces the program, or raises a `ConfigError` with the reason why it cannot.
        examples: the clients' data.
        settings: how every client of the run trains.
    """

    def __init__(
        self,
        compile_program: Callable[[], Callable[[BlockInputs], BlockOutputs]],
        examples: JoinedExamples,
        settings: LocalSettings,
    ) -> None:
        self._compile, self._examples, self._settings = compile_program, examples, settings
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
        examples = self._examples.of([each.client for each in assignments])
        counts = examples.counts.tolist()
        rows = self._rows(start, assignments, counts)
        outputs = self.program()(self._inputs(start, assignments, examples, rows))
        payload, means = outputs.payload.numpy(), outputs.means.numpy().tolist()
        keeps = {name: value.numpy() for name, value in outputs.keeps.items()}
        # The time of the block, shared out by its steps: nobody trained alone.
        seconds = (time.perf_counter() - begun) / max(sum(map(len, rows)), 1)
        return [
            ClientUpdate(
                client=assignment.client,
                payload=payload[place],
                weight=float(count) if settings.weighting == "examples" else 1.0,
                num_examples=count,
                statistics=_NONE,
                state={name: value[place] for name, value in keeps.items()},
                metrics=dict(zip(settings.metric_names, means[place], strict=True)),
                bytes_up=payload[place].nbytes,
                seconds=seconds * len(rows[place]),
            )
            for place, (assignment, count) in enumerate(zip(assignments, counts, strict=True))
        ]

    def _rows(
        self, start: DeviceBroadcast, assignments: Sequence[Assignment], counts: Sequence[int]
    ) -> list[Array]:
        # The same draws as for clients that train alone.
        clients = (assignment.client for assignment in assignments)
        drawn = generators(self._settings.root, start.source.round, clients, "batches")
        return [
            draw_batches(count, self._settings.plan, rng)[: assignment.steps]
            for assignment, count, rng in zip(assignments, counts, drawn, strict=True)
        ]

    def _inputs(
        self,
        start: DeviceBroadcast,
        assignments: Sequence[Assignment],
        examples: Joined,
        rows: Sequence[Array],
    ) -> BlockInputs:
        places = coarse(len(assignments))
        num_steps, first = np.zeros(places, np.int32), np.zeros(places, np.int32)
        num_steps[: len(rows)] = [len(drawn) for drawn in rows]
        np.cumsum(num_steps[:-1], out=first[1:])
        batches = np.full((_length(num_steps, rows[0]), rows[0].shape[1]), PADDING, np.int32)
        for begin, own, drawn in zip(first[: len(rows)], examples.first, rows, strict=True):
            np.add(drawn, own, out=batches[begin : begin + len(drawn)], where=drawn >= 0, casting="unsafe")
        return BlockInputs(
            weights=start.weights,
            learning_rate_scale=start.scale,
            extras=start.extras,
            state={x.name: self._kept(start, assignments, x, places) for x in self._settings.keeps},
            x=examples.x,
            y=examples.y,
            rows=to_device(batches),
            first=to_device(first),
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


def _length(num_steps: Array, rows: Array) -> int:
    """One of few numbers of batches, because XLA takes half a second or more for each; no step reads the padding."""
    count, most = int(num_steps.sum()), _FEW_BYTES // rows[:1].nbytes
    few = max(coarse(count, bits=4), min(_FEWEST_BATCHES, most))
    # Batches of many examples are padded less: their row numbers would be as large as the examples.
    return few if few <= max(most, _FEWEST_BATCHES) else coarse(count)
