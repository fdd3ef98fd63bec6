"""The smallest real experiments: four clients of 12 examples, a model of a few weights, two rounds."""

from contextlib import contextmanager

from fedcli import config
from fedcli.config import Config
from fedcli.experiment.assemble import assemble
from fedcli.experiment.make import located
from fedcli.experiment.plan import plan as planned
from fedcli.testing.changes import changed

YAML = """
name: tiny
seed: 7
rounds: 2
data:
  name: user_parts:blobs
  partition: {name: iid, clients: 4}
  validation_fraction: 0.2
model: {name: "user_parts:stack", dropout: 0.1}
client: {optimizer: {name: sgd, learning_rate: 0.1}, epochs: 1, batch_size: 5}
strategy: {name: weighted}
executor: {name: threads, workers: 2}
"""

# One of everything that could be lost between a stop and a resumption.
STATEFUL = (
    "model.batchnorm=true",
    "model.dropout=0.2",
    "client.optimizer={name: adam, learning_rate: 0.02}",
    "client.schedule={name: cosine}",
    "cohort={name: uniform, size: 3}",
    "strategy={name: fedavgm, beta: 0.7}",
)

PRIVATE = (
    "cohort={name: poisson, rate: 0.5}",
    "strategy={name: dp-clipped, clip_norm: 0.5, noise_multiplier: 1.0, delta: 1.0e-3}",
)


def source(*overrides: str, text: str = YAML) -> Config:
    """The tiny experiment with `key=value` overrides."""
    return config.loads(text, "tiny.yaml", overrides)


def plan(*overrides: str):
    """Its plan, with errors placed as `fedcli run` places them."""
    made = source(*overrides)
    with located(made):
        return planned(made.experiment)


def assembled(*overrides: str):
    """Its parts and first state; the executor is closed at the end."""
    return assembled_from(source(*overrides))


@contextmanager
def assembled_from(made: Config):
    """The same of any experiment."""
    with located(made):
        parts, state = assemble(planned(made.experiment))
    try:
        yield parts, state
    finally:
        parts.executor.close()


def on(executor, parts):
    """The same parts on another executor."""
    return changed(parts, executor=executor)


def untimed(record):
    """A record without what differs from run to run."""
    return {name: value for name, value in record.items() if not name.startswith("seconds")}
