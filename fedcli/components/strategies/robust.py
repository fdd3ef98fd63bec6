"""FedAvg whose mean is replaced by a rule that poisoned clients cannot move at will.

A recipe is its rule: parameters, ranges, paper and deviations are those of the aggregator, and said there.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import ParamSpec

from fedcli.components import aggregators
from fedcli.components.strategies.fedavg import mean, weighted
from fedcli.core.contracts import Aggregator, Strategy

P = ParamSpec("P")


def _fedavg_with(
    rule: Callable[P, Aggregator], *, name: str, base: Callable[[], Strategy] = mean
) -> Callable[P, Strategy]:
    """The factory of `base` with another aggregator; its signature and docstring are those of `rule`."""

    @functools.wraps(rule)
    def recipe(*args: P.args, **parameters: P.kwargs) -> Strategy:
        return base()._replace(name=name, aggregator=rule(*args, **parameters))

    return recipe


median = _fedavg_with(aggregators.median, name="median")
trimmed_mean = _fedavg_with(aggregators.trimmed_mean, name="trimmed-mean")
krum = _fedavg_with(aggregators.krum, name="krum")
multi_krum = _fedavg_with(aggregators.multi_krum, name="multi-krum")
bulyan = _fedavg_with(aggregators.bulyan, name="bulyan")
geometric_median = _fedavg_with(aggregators.geometric_median, name="geometric-median", base=weighted)
centered_clipping = _fedavg_with(aggregators.centered_clipping, name="centered-clipping")
norm_bounded = _fedavg_with(aggregators.norm_bounding, name="norm-bounded", base=weighted)
sign_guard = _fedavg_with(aggregators.sign_guard, name="sign-guard")
dnc = _fedavg_with(aggregators.dnc, name="dnc")
