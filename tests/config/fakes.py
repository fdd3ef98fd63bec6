"""Tiny registries, so that what is tested here is the config and not the parts."""

import enum
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from fedcli.config import Config, ConfigErrors, loads
from fedcli.core.errors import ConfigError


class Order(enum.Enum):
    BIG = "big"
    LITTLE = "little"


def _digits(_seed, *, limit: int | None = None): ...
def _blobs(_seed, *, path: str, order: Order = Order.BIG): ...
def _iid(_dataset, _rng, *, clients: int): ...
def _dirichlet(_dataset, _rng, *, clients: int, alpha: float = 0.5): ...
def _scale(*, factor: float): ...
def _flatten(): ...
def _mlp(*, hidden: tuple[int, ...] = (200, 200), dropout: float = 0): ...
def _sgd(*, learning_rate: float, momentum: float = 0.0): ...
def _adam(*, learning_rate: float, betas: tuple[float, float] = (0.9, 0.999)): ...
def _constant(): ...
def _full(): ...
def _weighted(): ...
def _flip(*, scale: float = 1.0): ...
def _threads(*, workers: int | None = None): ...


def _step(*, milestones: Sequence[int], mode: Literal["floor", "ceil"] = "floor"): ...


def _uniform(*, size: int):
    if size < 1:
        raise ConfigError(
            f"a cohort has at least 1 client; received {size}.", key="size", hint="Use size >= 1."
        )


def _robust(
    _clients, *, num_byzantine: int | list[int], table: dict[str, float] | None = None, extra: Any = None
): ...


REGISTRIES: Mapping[str, Mapping[str, Any]] = {
    "data": {"digits": _digits, "blobs": _blobs},
    "data.partition": {"iid": _iid, "dirichlet": _dirichlet},
    "data.preprocessing": {"scale": _scale, "flatten": _flatten},
    "data.default_preprocessing": {"digits": ({"name": "scale", "factor": 0.0625}, {"name": "flatten"})},
    "model": {"mlp": _mlp},
    "client.optimizer": {"sgd": _sgd, "adam": _adam},
    "client.schedule": {"constant": _constant, "step": _step},
    "cohort": {"full": _full, "uniform": _uniform},
    "strategy": {"weighted": _weighted, "krum": _robust},
    "strategy.client": {"sgd": _full},
    "strategy.transforms": {},
    "strategy.aggregator": {"mean": _full},
    "strategy.server_optimizer": {"sgd": _full},
    "strategy.default_cohorts": {"krum": {"name": "uniform", "size": 7}},
    "attack": {"flip": _flip},
    "executor": {"threads": _threads},
    "callbacks": {},
}

MINIMAL = """\
rounds: 3
data: {name: digits, partition: {name: iid, clients: 10}}
model: mlp
"""


def config(text: str, *overrides: str) -> Config:
    """`text` loaded as the file `c.yaml`."""
    return loads(text, "c.yaml", overrides, REGISTRIES.__getitem__)


def report(text: str, *overrides: str) -> str:
    """The report of a text that has problems."""
    try:
        config(text, *overrides)
    except ConfigErrors as errors:
        return str(errors)
    raise AssertionError("no problem was found")


def headlines(text: str, *overrides: str) -> list[str]:
    """The first lines of a report's problems."""
    return [problem.splitlines()[0] for problem in report(text, *overrides).split("\n\n")]


def minimal(extra: str = "", **changes: str) -> str:
    """`MINIMAL` with lines replaced by key, and more lines below."""
    lines = [f"{line.split(':')[0]}: {changes.pop(line.split(':')[0])}" if line.split(":")[0] in changes else line
             for line in MINIMAL.splitlines()]  # fmt: skip
    return "\n".join([*lines, extra])
