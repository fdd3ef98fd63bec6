"""What an observer of an audited run hears: releases in the canaries' coordinates, and in others.

Where a canary has k coordinates, the observer adds them up over sqrt(k), which leaves the noise as it is.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import NamedTuple, final

import numpy as np
import numpy.typing as npt

from fedcli.components.models.network import Vectors
from fedcli.core.rounds import Aggregate, ClientUpdate, RoundState
from fedcli.core.types import Array, Tree, Vector
from fedcli.engine.records import Row
from fedcli.engine.round import context_of, run_round
from fedcli.engine.setup import Assembly
from fedcli.engine.turns import Turnout
from fedcli.experiment.assemble import initial_state, with_strategy
from fedcli.runs.canaries import HUGE, Canaries

Floats = npt.NDArray[np.float64]


class Observation(NamedTuple):
    """Releases of a run, in the units of one client's update.

    Args:
        heard: in the coordinate of each canary, shape [rounds, m].
        noise: in coordinates that no canary uses, shape [rounds, c].
        signal: what a canary adds to a round in which it is present, shape [rounds].
        rounds: the rounds that released something, counted from 0.
    """

    heard: Floats
    noise: Floats
    signal: Floats
    rounds: list[int]


def observed(
    assembly: Assembly,
    start: RoundState,
    canaries: Canaries,
    *,
    controls: npt.NDArray[np.int64],
    round_end: Callable[[Row], None],
) -> Observation:
    """Run all rounds of an experiment with canaries, and listen to its releases.

    Args:
        assembly: the experiment with its canaries.
        start: the state before the first round; parts with state begin anew.
        canaries: the canaries.
        controls: coordinates that no canary uses, shape [k, c].
        round_end: called with the record of every round.
    """
    # One more round is planned than is run, because the last one would be evaluated.
    run = assembly.run._replace(rounds=assembly.run.rounds + 1)
    assembly = replace(assembly, setup=replace(assembly.setup, run=run))
    vectors = Vectors(start.weights, start.statistics, start.frozen, start.personal)
    # Noise that is correlated over rounds has a key in its state, which no other run may share.
    state = initial_state(assembly.strategy, vectors, assembly.world.cohort.init(np.zeros(0)))
    listener = _Listener(canaries.places, controls, first=assembly.num_clients - len(canaries.coins))
    heard = listener.attached(assembly)
    found: list[tuple[Floats, Floats, float, int]] = []
    for index in range(run.rounds - 1):
        listener.hear_nothing()
        signal = _signal(assembly, state, canaries.places[:, 0])
        state, record, _ = run_round(heard, state, lambda _round: None, lambda _done, _planned: None)
        if listener.heard is not None:
            found.append((*listener.heard, signal, index))
        round_end(record)
    releases, noise, signals, rounds = zip(*found, strict=True) if found else ((), (), (), ())
    return Observation(np.array(releases), np.array(noise), np.array(signals), list(rounds))


@final
class _Listener:
    """Hears the noised mean of a round; or the noised updates, if each client protects its own."""

    def __init__(self, places: npt.NDArray[np.int64], controls: npt.NDArray[np.int64], *, first: int) -> None:
        self._places, self._controls, self._first = places, controls, first
        self.heard: tuple[Floats, Floats] | None = None

    def hear_nothing(self) -> None:
        """Begin a round."""
        self.heard = None

    def attached(self, assembly: Assembly) -> Assembly:
        """The assembly, which tells this listener what it releases."""
        strategy, event = assembly.strategy, assembly.strategy.privacy_event
        if event is not None and event.noise_on == "update":
            rule = strategy.aggregator.aggregate

            def aggregate(updates: Iterable[ClientUpdate], size: int, state: Tree) -> tuple[Aggregate, Tree]:
                return rule(self._each(updates), size, state)

            aggregator = strategy.aggregator._replace(aggregate=aggregate)
            return with_strategy(assembly, strategy._replace(aggregator=aggregator))
        move, divisor = strategy.server.apply, assembly.planned_weight or 1.0

        def apply(weights: Vector, mean: Array, server: Tree, share: float) -> tuple[Vector, Tree]:
            total = np.asarray(mean, np.float64) * divisor
            self.heard = _along(total, self._places), _along(total, self._controls)
            return move(weights, mean, server, share)

        return with_strategy(assembly, strategy._replace(server=strategy.server._replace(apply=apply)))

    def _each(self, updates: Iterable[ClientUpdate]) -> Iterator[ClientUpdate]:
        count = self._places.shape[1]
        own, other = np.zeros(count), np.zeros(count)
        self.heard = own, other
        for update in updates:
            canary = update.client - self._first
            if canary >= 0:
                payload = np.asarray(update.payload, np.float64)
                own[canary] = _along(payload, self._places[:, canary])
                # In all its other coordinates a canary sends noise alone.
                other[canary] = _along(payload, self._controls[:, canary % self._controls.shape[1]])
            yield update


def _along(vector: Floats, places: npt.NDArray[np.int64]) -> Floats:
    """The sums over places, shape [k, ...], over sqrt(k)."""
    summed: Floats = vector[places].sum(axis=0) / math.sqrt(len(places))
    return summed


def _signal(assembly: Assembly, state: RoundState, places: npt.NDArray[np.int64]) -> float:
    """What a canary adds to a sum after clip and grid, without noise."""
    payload = np.zeros(assembly.strategy.trainer.payload_size(state.weights.size), np.float32)
    payload[places] = HUGE
    nothing: Vector = np.zeros(0, np.float32)
    examples = int(assembly.world.federation.num_train[-1])
    update = ClientUpdate(assembly.num_clients, payload, 1.0, examples, nothing, {}, {}, 0, 0.0)
    context, step = context_of(assembly, state, Turnout([])), 1.0
    for transform in assembly.strategy.transforms:
        if transform.privacy is None or transform.privacy.noise_on == "sum":
            update = transform.encode(update, state.transforms[transform.name], context)
        step = transform.grid.step if transform.grid else step
    return float(_along(np.asarray(update.payload, np.float64), places)) * step
