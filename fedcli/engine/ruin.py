"""Ruined models: what a round may not leave behind, because no later round could make anything of it.

A model that is not finite, or whose loss on the test set is not, ends the run. The round is not committed: a run whose
component is mended repeats it, and one that diverged has every round before.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping

from fedcli.core.errors import RuinedModelError
from fedcli.core.metrics import prefixed
from fedcli.core.rounds import RoundState
from fedcli.core.trees import to_table
from fedcli.core.vectors import is_finite, largest_value
from fedcli.engine.evaluation import evaluate_test
from fedcli.engine.setup import Assembly

_LARGE = 1e6
"""A weight from which on a model is measured in every round; those of trained networks are far below."""
_LOST = 2**24
_FAR = 1_000
"""How many times the median an update is to be named as the cause."""


def require_sound(
    assembly: Assembly, before: RoundState, state: RoundState, sizes: Mapping[int, float]
) -> None:
    """Refuse a state after the server's step that has NaN or infinite values, or from which nobody could come back.

    Args:
        assembly: the experiment.
        before: the state before the round.
        state: after the step; its round is the one before.
        sizes: the largest value of each accepted update, by client; empty if the server may not see them.

    Raises:
        RuinedModelError: with the part that is not finite, and the clients whose updates stand out.
    """
    strategy = assembly.strategy
    server = f"the server optimizer {strategy.server.name}"
    kept = {
        f"after the step of {server} the model": {"weights": state.weights, "statistics": state.statistics},
        f"after its step the state of {server}": state.server,
        f"the state of the aggregator {strategy.aggregator.name}": state.aggregator,
        **{f"the state of the transform {name}": tree for name, tree in state.transforms.items()},
        "the average of the models": state.average,
    }
    for what, tree in kept.items():
        if not all(is_finite(value) for value in to_table(tree).values()):
            raise RuinedModelError(_told(state.round + 1, f"{what} has NaN or infinite values", sizes))
    # Beside a weight of 2^24 times their size, updates are lost in the last bit of a float32.
    if sizes and max(sizes.values()) > _LOST * statistics.median_low(sizes.values()):
        step = largest_value(state.weights - before.weights)
        if step > _LARGE:
            what = f"the model is ruined: a step of {step:.3g} leaves weights in which other updates are lost"
            raise RuinedModelError(_told(state.round + 1, what, sizes))


def require_useful(
    assembly: Assembly, state: RoundState, figures: Mapping[str, float], sizes: Mapping[int, float]
) -> None:
    """Refuse a model whose loss on the test set is NaN or infinite.

    Args:
        assembly: the experiment.
        state: after the round.
        figures: what was measured of its model; empty if the round is not evaluated.
        sizes: as in `require_sound`.

    Raises:
        RuinedModelError: with the loss.
    """
    # That the run ended would tell what is withheld.
    if assembly.protocol.publishes_noised_only and not assembly.setup.has_public_test:
        return
    if not figures and largest_value(state.weights) > _LARGE:
        figures = prefixed("test", evaluate_test(assembly, state))
    loss = figures.get("test/loss", 0.0)
    if not math.isfinite(loss):
        raise RuinedModelError(_told(state.round, f"the model is ruined: its test/loss is {loss:g}", sizes))


def of_every_client(round: int, count: int) -> RuinedModelError:
    """The error of a round of which no update is finite."""
    who = "the update of the only client has" if count == 1 else f"the updates of all {count} clients have"
    return RuinedModelError(
        f"round {round}: {who} NaN or infinite values, so that no later round would learn anything.\n"
        "  The learning rate of the clients is too large, or the model of the round before is ruined already."
    )


def _told(round: int, what: str, sizes: Mapping[int, float]) -> str:
    advice = "A step was too large: take a smaller learning rate of the clients or of the server."
    lines = [f"round {round}: {what}."]
    if sizes:
        client, middle = max(sizes, key=sizes.__getitem__), statistics.median(sizes.values())
        others = f"; the median of {len(sizes)} clients is {middle:.3g}" if len(sizes) > 1 else ""
        lines.append(
            f"The largest update is that of client {client}, with values up to {sizes[client]:.3g}{others}."
        )
        if sizes[client] > _FAR * middle:
            advice = (
                "So large an update is a fault or an attack: clip the updates, or take a robust strategy."
            )
    return "\n  ".join([*lines, advice])
