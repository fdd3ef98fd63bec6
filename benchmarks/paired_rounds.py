"""Rounds of two or more forms of one experiment in turn, A B A B, each in a process of its own.

TensorFlow's threads can be set only once in a process, and a form may hold memory or workers. The process whose turn
it is not waits for a message, which costs nothing.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack
from multiprocessing import get_context
from typing import Any

from fedcli.core.errors import FedcliError
from fedcli.crypto.workers import end_with_parent

_side: dict[str, Any] = {}
"""Of a process of its own: the assembly, and the state after the last round."""


def seconds_in_turn(text: str, sides: Mapping[str, Sequence[str]], *, runs: int) -> dict[str, list[float]]:
    """Seconds of a round of each side, `runs` times in turn, after a round each that warms up.

    Args:
        text: the experiment as YAML; it has evaluation off.
        sides: what each side changes of it, `key=value` as after `--set`.
        runs: timed rounds of each side.

    Raises:
        FedcliError: if a side cannot be assembled, or its process ends.
    """
    spent: dict[str, list[float]] = {name: [] for name in sides}
    with ExitStack() as stack:
        pools = {
            name: stack.enter_context(
                ProcessPoolExecutor(1, mp_context=get_context("spawn"), initializer=end_with_parent)
            )
            for name in sides
        }
        try:
            for name, pool in pools.items():
                if problem := pool.submit(_assemble, text, list(sides[name])).result():
                    raise FedcliError(f"{name}: {problem}")
            for _ in range(runs + 1):
                for name, pool in pools.items():
                    spent[name].append(pool.submit(_round).result())
            for pool in pools.values():
                pool.submit(_close).result()
        except BrokenProcessPool:
            raise FedcliError(f"{name}: its process ended, perhaps because memory was short.") from None
    return {name: seconds[1:] for name, seconds in spent.items()}


def ratios(spent: Mapping[str, Sequence[float]], slow: str, fast: str) -> list[float]:
    """How many times as long one side took as another, in each pair."""
    return [first / second for first, second in zip(spent[slow], spent[fast], strict=True)]


def _assemble(text: str, overrides: list[str]) -> str | None:
    """Build the side; what is wrong with it, in a sentence."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    from fedcli import config
    from fedcli.cli.output import quiet_imports
    from fedcli.experiment.assemble import assemble
    from fedcli.experiment.plan import plan

    try:
        with quiet_imports():
            _side["assembly"], _side["state"] = assemble(
                plan(config.loads(text, overrides=overrides).experiment)
            )
    except FedcliError as error:
        return str(error)
    return None


def _round() -> float:
    """Run a round; its seconds."""
    from fedcli.engine.round import run_round

    begun = time.perf_counter()
    _side["state"], record, _ = run_round(
        _side["assembly"], _side["state"], lambda _round: None, lambda *_done: None
    )
    seconds = time.perf_counter() - begun
    if record["clients/finished"] != record["clients/planned"]:
        raise RuntimeError(f"a round lost clients: {record}")
    return seconds


def _close() -> None:
    _side["assembly"].executor.close()
