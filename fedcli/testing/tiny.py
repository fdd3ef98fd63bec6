"""A tiny but complete experiment for the checks: four clients with 15 examples each and a model of 51 weights."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np

from fedcli import config
from fedcli.components.data import Dataset
from fedcli.core.contracts import Strategy
from fedcli.core.rounds import RoundState
from fedcli.core.seeds import generator
from fedcli.engine.setup import Assembly
from fedcli.experiment.assemble import assemble
from fedcli.experiment.make import located
from fedcli.experiment.plan import plan

# 12 training examples a client in batches of 5, so that the last batch of an epoch is padded.
YAML = """
name: tiny
seed: 7
rounds: 2
data:
  name: fedcli.testing.tiny:clouds
  partition: {name: iid, clients: 4}
  validation_fraction: 0.2
model: {name: mlp, hidden: [6]}
client: {optimizer: {name: sgd, learning_rate: 0.1}, epochs: 1, batch_size: 5}
privacy: {reproducible_noise: true}
executor: {name: threads, workers: 2}
"""


def clouds(_seed: int) -> Dataset:
    """60 training and 30 test examples from three overlapping Gaussian clouds in four dimensions, one a class."""
    rng = generator(60, 0, 0, "clouds")
    y = np.arange(90) % 3
    x = (rng.normal(size=(90, 4)) + y[:, None]).astype(np.float32)
    return Dataset(x[:60], y[:60], x[60:], y[60:], "classification", 3)


@contextmanager
def assembled(strategy: Strategy, settings: Sequence[str] = ()) -> Iterator[tuple[Assembly, RoundState]]:
    """The assembly and the first state of the experiment with a strategy. The executor is closed at the end.

    Args:
        strategy: used in place of a strategy that the config names.
        settings: changed values of the config, each `key=value` as after `--set`.

    Raises:
        ConfigError: if the strategy cannot be used in the experiment, or a setting is invalid.
    """
    source = config.loads(YAML, "tiny.yaml", settings)
    with located(source):
        assembly, state = assemble(plan(source.experiment, strategy), strategy)
    try:
        yield assembly, state
    finally:
        assembly.executor.close()
