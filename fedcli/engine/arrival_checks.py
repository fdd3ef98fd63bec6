"""The checks of updates on arrival, on the server or where a worker sums a block of them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from fedcli.components.aggregators.mean import streamed_sum
from fedcli.core.rounds import ClientUpdate, Outcome, RoundContext
from fedcli.core.sums import AddedUpdate
from fedcli.core.transform import Transform, checks_on_arrival
from fedcli.core.trees import to_table
from fedcli.core.types import Tree
from fedcli.core.user_code import blamed
from fedcli.core.vectors import is_finite, largest_value
from fedcli.engine.returned import has_numbers, is_measure, is_number, kind_of

_EMPTY = np.zeros(0, np.float32)
_LARGEST_COUNT = 2**53
_FLOAT_BYTES = 4
_LARGEST_FLOAT = float(np.finfo(np.float32).max)


def _is_ciphertext(transforms: Sequence[Transform]) -> bool:
    return any(each.gives == "ciphertext" for each in transforms)


def _may_be_wider(payload: object) -> bool:
    # No integer is beyond a float32, and no float32 either: they are not worth a pass over the values.
    return isinstance(payload, np.ndarray) and payload.dtype.kind == "f" and payload.itemsize > _FLOAT_BYTES


def _is_summed(outcome: Outcome) -> bool:
    return isinstance(outcome, ClientUpdate) and outcome.summed is not None


def has_diverged(update: ClientUpdate) -> bool:
    """Whether an update has NaN or infinite values."""
    if update.summed is not None:
        return update.summed.diverged
    return has_numbers(update.payload) and not is_finite(update.payload)


def largest_of(update: ClientUpdate) -> float:
    """The largest absolute value of an update of numbers."""
    return largest_value(update.payload) if update.summed is None else update.summed.largest


class ArrivalChecks(NamedTuple):
    """Everything that the checks of a round depend on.

    Args:
        transforms: those of the strategy.
        states: their server states without secrets, by name.
        context: the round; without sessions on a worker.
        statistics_shape: that of the model's non-trainable weights.
    """

    transforms: Sequence[Transform]
    states: Mapping[str, Tree]
    context: RoundContext
    statistics_shape: tuple[int, ...]

    @property
    def are_made_together(self) -> bool:
        """Whether a transform checks several updates at once."""
        return any(check.admit_all for check in checks_on_arrival(self.transforms))

    def reasons(self, outcomes: Sequence[Outcome]) -> list[str | None]:
        """For each outcome, the first reason to reject it; None if it is valid."""
        reasons = [
            # First of all: a sum of vectors of unequal length would raise and end the run.
            self._misshapen(outcome) if isinstance(outcome, ClientUpdate) else outcome.reason
            for outcome in outcomes
        ]
        for check in checks_on_arrival(self.transforms):
            left = {i: each for i, each in enumerate(outcomes) if reasons[i] is None and not _is_summed(each)}
            updates = [outcome for outcome in left.values() if isinstance(outcome, ClientUpdate)]
            for i, reason in zip(left, self._answers(check, updates), strict=True):
                reasons[i] = reason
        return reasons

    def _misshapen(self, update: ClientUpdate) -> str | None:
        # Its worker has made all checks, and sent their answer in place of the payload.
        if update.summed is not None:
            return update.summed.refused
        # A custom algorithm or transform may send anything; all of it is used before the transforms check it.
        if not _is_ciphertext(self.transforms) and not has_numbers(update.payload):
            return f"the update is of type {kind_of(update.payload)}; an array of real numbers is expected"
        counts = {"weight": update.weight, "examples": update.num_examples}
        measured = {"bytes_up": update.bytes_up, "seconds": update.seconds}
        # One after the other, because a metric may have the name of a field.
        for name, value in (*counts.items(), *measured.items(), *update.metrics.items()):
            if not is_number(value):
                return f"{name} is of type {type(value).__name__}; a number is expected"
        for name, number in counts.items():
            # Beside a larger one, the weights of other clients would be rounded away: their sum is a float64.
            if not 0 <= number <= _LARGEST_COUNT:
                return f"the update has {name} {number:.6g}; a number from 0 to 2^53 is expected"
        for name, number in measured.items():
            if not is_measure(number):
                return f"the update has {name} {number:.6g}; a finite number of at least 0 is expected"
        # Infinity is told as such by the check on arrival.
        if _may_be_wider(update.payload) and _LARGEST_FLOAT < largest_value(update.payload) < math.inf:
            return f"the update has values beyond {_LARGEST_FLOAT:.3g}, which no model can hold"
        for name, array in to_table(update.state).items():
            if not is_finite(array):
                return f"what the client keeps has NaN or infinite values in {name}"
        # Statistics that are local or frozen are not sent, so their vector is empty.
        expected, found = self.statistics_shape, update.statistics.shape
        if found in ((0,), expected):
            return None
        return f"the non-trainable weights have shape {list(found)}; the model has {list(expected)}"

    def _answers(self, check: Transform, updates: Sequence[ClientUpdate]) -> Sequence[str | None]:
        state = self.states[check.name]
        with blamed(f"the check of the transform {check.name}", f"round {self.context.round}"):
            if check.admit_all is not None:
                return check.admit_all(updates, state, self.context) if updates else []
            return [check.admit(update, state, self.context) for update in updates]

    def summed(self, outcomes: Sequence[Outcome]) -> list[Outcome]:
        """The outcomes of a block without payloads: those of valid updates are added, and the first one has the sum."""
        reasons = self.reasons(outcomes)
        pairs = zip(outcomes, reasons, strict=True)
        valid = [each for each, why in pairs if why is None and isinstance(each, ClientUpdate)]
        # In float64 and in the order of the cohort, as the server would add them.
        total = streamed_sum(valid, valid[0].payload.size)[0] if valid else None
        first = valid[0].client if valid else None
        return [
            replace(
                each,
                payload=_EMPTY,
                summed=AddedUpdate(
                    why,
                    total if each.client == first else None,
                    largest_of(each) if why is None else 0.0,
                    has_diverged(each),
                ),
            )
            if isinstance(each, ClientUpdate)
            else each
            for each, why in zip(outcomes, reasons, strict=True)
        ]
