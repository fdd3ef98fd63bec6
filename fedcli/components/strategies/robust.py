"""FedAvg with a robust aggregator, which poisoned clients cannot move at will, in place of the mean.

Such a recipe has the parameters, ranges, paper and deviations of its aggregator, and its docstring.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import ParamSpec

from fedcli.components.strategies.fedavg import fedavg
from fedcli.core.contracts import Aggregator, Strategy
from fedcli.core.types import Weighting

P = ParamSpec("P")


def fedavg_with(
    rule: Callable[P, Aggregator], *, name: str, weighting: Weighting = "uniform"
) -> Callable[P, Strategy]:
    """The factory of FedAvg with another aggregator; its signature and docstring are those of `rule`.

    Args:
        rule: the factory of the aggregator.
        name: of the recipe.
        weighting: how clients count, where the rule uses weights.
    """

    @functools.wraps(rule)
    def recipe(*args: P.args, **parameters: P.kwargs) -> Strategy:
        return fedavg(weighting=weighting)._replace(name=name, aggregator=rule(*args, **parameters))

    # A component is found by its name, and not by that of the rule that it wraps.
    recipe.__name__ = recipe.__qualname__ = name.replace("-", "_")
    recipe.__module__ = f"{__package__}.{recipe.__name__}"
    return recipe
