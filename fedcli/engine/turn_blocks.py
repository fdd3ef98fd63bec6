"""Turns whose clients are trained together, by one program."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from fedcli.core.errors import ClientError, ComponentError, ConfigError, FedcliError, is_out_of_memory
from fedcli.core.roles import BlockRuntime
from fedcli.core.rounds import Assignment, ClientUpdate
from fedcli.core.types import Tree
from fedcli.engine.turns import Turn


def traced(blocks: BlockRuntime | None) -> BlockRuntime:
    """What trains several clients at once, its program traced.

    Raises:
        ConfigError: if these clients cannot be trained in blocks.
    """
    if blocks is None:
        raise ConfigError(
            "these clients cannot be trained in blocks.", key="executor", hint="Use executor: threads."
        )
    blocks.program()
    return blocks


def trained_together(
    blocks: BlockRuntime, starts: Mapping[int, Any], turns: Sequence[Turn], kept: Mapping[int, Tree]
) -> Mapping[int, ClientUpdate]:
    """The updates of a block, by client, before any transform, with what their clients keep for transforms.

    Those of a block that fails are missing, so that each of its clients is trained, and fails, by itself.

    Args:
        blocks: trains several clients at once.
        starts: prepared broadcasts, by the round after which a client received them.
        turns: of clients that have examples.
        kept: what each client keeps from its last participation.
    """
    found: dict[int, ClientUpdate] = {}
    for model in sorted({turn.model for turn in turns}):
        block = [
            Assignment(turn.client, dict(kept.get(turn.client, {}).items()), turn.steps)
            for turn in turns
            if turn.model == model
        ]
        try:
            updates = blocks.train(starts[model], block)
        except Exception as error:
            if _is_for_all(error):
                raise
            continue
        found |= {
            update.client: replace(update, state={**own.state, **update.state}) if own.state else update
            for own, update in zip(block, updates, strict=True)
        }
    return found


def _is_for_all(error: Exception) -> bool:
    # Memory that runs out is the machine's failure; clients trained one by one would get other bits.
    if is_out_of_memory(error):
        return True
    # A custom dataset can raise anything when it is asked for a client, and is told by its name. Other blocks are not
    # concerned.
    return isinstance(error, FedcliError) and not is_told(error)


def is_told(error: BaseException) -> bool:
    """Whether a part of a client's data, such as its preprocessing, has failed and is told already by its name."""
    return isinstance(error, ComponentError) and not isinstance(error, ClientError)
