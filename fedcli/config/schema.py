"""What an experiment's file may say: one frozen model a section, one docstring a field.

A field marked with `Slot` is a part: `{name: ..., **parameters}` or a bare name. Its parameters are checked
against the factory's own signature, in `parts.py`; here stands only which registry names it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator


@dataclass(frozen=True)
class Part:
    """A named part and its parameters, complete with defaults: `resolve(registry, name)(..., **parameters)`."""

    name: str
    """A built-in of the section's registry, or `package.module:factory`."""
    parameters: dict[str, Any] = field(default_factory=dict)
    """The factory's keyword-only arguments."""


@dataclass(frozen=True)
class Slot:
    """Marks a field as a part, or as a list of parts.

    Args:
        section: which registry names it; see `registries.py`.
        default: what stands there when the file says nothing; None where there is nothing to stand there.
        by_dataset: whether the default is the dataset's own instead.
        by_strategy: whether a strategy may have a default of its own instead.
        many: whether it is a list.
    """

    section: str
    default: Mapping[str, Any] | None = None
    by_dataset: bool = False
    by_strategy: bool = False
    many: bool = False


class Section(BaseModel):
    """A frozen mapping of the file; unknown keys are errors and no type is converted."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, allow_inf_nan=False, use_attribute_docstrings=True
    )


_NAME = re.compile(r"[A-Za-z0-9._-]{1,80}\Z")


def _folder_name(name: str) -> str:
    if not _NAME.match(name):
        raise ValueError("a name has 1 to 80 letters (a to z), digits, dots, dashes and underscores")
    return name


class Data(Section):
    """What the clients hold: a dataset (the section's other keys are its parameters), dealt out to them."""

    part: Annotated[Part, Slot("data")]
    """The dataset."""
    partition: Annotated[Part | None, Slot("data.partition"), Field(examples=["{name: iid, clients: 10}"])]
    """How examples are dealt out; a user's own dataset may come dealt out already."""
    validation_fraction: float = Field(0.2, ge=0, lt=1)
    """Share of each client's own examples that it keeps for validation."""
    preprocessing: Annotated[tuple[Part, ...], Slot("data.preprocessing", by_dataset=True, many=True)]
    """Steps that each client fits on its own training examples; by default, what the dataset needs."""


class Model(Section):
    """The Keras model that is trained; the section's other keys are its parameters."""

    part: Annotated[Part, Slot("model")]
    """The architecture."""
    initial_weights: str | None = Field(None, min_length=1)
    """Where the weights start: an `.npz` file or another run, relative to the working directory."""
    trainable: str | None = Field(None, min_length=1)
    """Glob pattern over variable paths, such as `*head*`; the rest is frozen and never sent."""
    non_trainable: Literal["federated", "local", "frozen"] = "federated"
    """What becomes of non-trainable weights (BatchNorm's statistics): averaged, kept by each client, or fixed."""


class Task(Section):
    """What is minimised and measured; by default, what the dataset's task needs."""

    loss: str | None = Field(None, min_length=1)
    """The loss, by its Keras name."""
    metrics: Annotated[tuple[str, ...], Field(strict=False)] | None = None
    """The metrics, by their Keras names."""


class Client(Section):
    """How one client trains in a round."""

    optimizer: Annotated[Part, Slot("client.optimizer", {"name": "sgd", "learning_rate": 0.05})]
    """The local optimiser."""
    schedule: Annotated[Part, Slot("client.schedule", {"name": "constant"})]
    """How the learning rate changes over the rounds."""
    epochs: int | None = Field(None, ge=1)
    """Passes over the client's own examples; 1 unless `steps` is given."""
    steps: int | None = Field(None, ge=1)
    """Batches a round, instead of `epochs`."""
    batch_size: int = Field(32, ge=1)
    """Examples in a batch."""
    clip_gradient_norm: float | None = Field(None, gt=0)
    """Each batch's gradient is scaled down to this l2 norm at most."""

    @model_validator(mode="before")
    @classmethod
    def _one_epoch(cls, values: Any) -> Any:
        if isinstance(values, dict) and values.get("epochs") is None and values.get("steps") is None:
            return {**values, "epochs": 1}
        return values


class Participation(Section):
    """What becomes of a cohort between its draw and the server."""

    dropout: float = Field(0.0, ge=0, lt=1)
    """Probability that a client sends nothing."""
    stragglers: float = Field(0.0, ge=0, le=1)
    """Share of the cohort that can do only a random part of its work."""
    partial_work: Literal["keep", "drop"] | None = None
    """Whether unfinished work is used; by default, what the strategy does (FedProx and FedNova keep it)."""
    deadline: float | None = Field(None, gt=0)
    """Seconds of the simulated clock after which the server waits no longer; null for never."""
    wait_for: int | None = Field(None, ge=1)
    """Updates after which the server waits no longer (over-selection); null for those of the whole cohort."""


class Attack(Section):
    """Malicious clients, to test defences with; the section's other keys are the attack's parameters."""

    part: Annotated[Part, Slot("attack")]
    """What the malicious clients do."""
    share: float | None = Field(None, gt=0, lt=1, examples=["0.2"])
    """Share of the population that is malicious, at least one client; drawn by the seed."""
    clients: Annotated[tuple[Annotated[int, Field(ge=0)], ...], Field(strict=False, min_length=1)] | None = (
        None
    )
    """The malicious clients by their numbers, instead of `share`."""


class FixedPoint(Section):
    """Updates as vectors of integers, whose sum is exact: clipped, weighted, rounded to a grid.

    The sum is divided by the weights; in a private run by the planned cohort, since example counts are not noised.
    """

    clip_norm: float | None = Field(None, gt=0, examples=["10.0"])
    """Largest l2 norm of an update; null for that of a private strategy, which has one already."""
    extra_clip_norm: float | None = Field(None, gt=0, examples=["1.0"])
    """Largest l2 norm of each vector that a strategy sends beside the update, such as SCAFFOLD's control variate."""
    bits: int = Field(20, ge=8, le=24)
    """The bound on the norm is 2^bits steps of the grid."""
    rounding: Literal["nearest", "stochastic"] = "nearest"
    """To the nearest step, or up or down at random."""
    max_examples: int | None = Field(None, ge=1, examples=["100"])
    """Examples from which on a client counts in full, and below by its share; null counts all clients the same."""


class Privacy(Section):
    """How the noise that protects people is drawn, and what is published beside the model."""

    reproducible_noise: bool = False
    """Draw it from the seed: for tests only, since whoever knows the seed can take the noise away."""
    publish: Literal["all", "noised-only"] = "all"
    """Whether metrics.jsonl and clients.jsonl have figures of the clients that were not noised."""


class Evaluation(Section):
    """What is measured on held-out examples."""

    every: int = Field(1, ge=1)
    """Rounds from one evaluation to the next; the last planned one, or within a budget, is evaluated as well."""
    clients: bool = False
    """Also evaluate on each client's validation examples."""
    batch_size: int = Field(1000, ge=1)
    """Examples in a batch; memory only, the result does not depend on it."""


class Checkpoint(Section):
    """What is kept to resume from, and to evaluate later.

    A checkpoint stays whole if `keep_last` or `keep_best` keeps it; with both null, all do. The others are pruned:
    their arrays (the model and the server's state) are removed, and their manifests stay, so that `fedcli verify` can
    check the chain. The last checkpoint is never pruned. The best are those with the largest value of the metric, or
    the smallest for losses and errors (`early_stop.mode`, if it is given); of two equal ones, the earlier.
    """

    every: int = Field(1, ge=1)
    """Rounds from one checkpoint to the next; the last round is always kept."""
    keep_last: int | None = Field(None, ge=1, examples=["3"])
    """Checkpoints at the end that keep their arrays, at least 1; null for all."""
    keep_best: int | None = Field(None, ge=1, examples=["1"])
    """Best checkpoints that keep theirs, by `early_stop.metric` or else the task's first metric on test data."""


class Average(Section):
    """The exponential moving average of the global model, which is evaluated and kept beside it."""

    decay: float = Field(gt=0, lt=1, examples=["0.99"])
    """What remains of a round's share in the average after the next round, in (0, 1)."""


class EarlyStop(Section):
    """When to end before the last round."""

    metric: str = Field(min_length=1, examples=["test/loss"])
    """The metric that is watched, such as `test/loss`."""
    patience: int = Field(ge=1, examples=["5"])
    """Evaluations without a new best after which the run ends."""
    mode: Literal["min", "max"] | None = None
    """Whether less or more is better; by default, what the metric's name implies."""


class Experiment(Section):
    """One experiment, complete with defaults; what a run directory keeps."""

    name: Annotated[str, AfterValidator(_folder_name)] = "experiment"
    """Names the run's directory: letters, digits, dots, dashes and underscores."""
    seed: int = Field(0, ge=0, lt=2**63)
    """The root of all reproducible randomness."""
    rounds: int = Field(ge=1, examples=["10"])
    """Rounds of training."""
    data: Data = Field(examples=["{name: digits, partition: {name: iid, clients: 10}}"])
    """What the clients hold."""
    model: Model = Field(examples=["{name: mlp}"])
    """What is trained."""
    task: Task
    """What is minimised and measured."""
    client: Client
    """How one client trains in a round."""
    cohort: Annotated[Part, Slot("cohort", {"name": "full"}, by_strategy=True)]
    """Who takes part in a round; by default everybody, and with central noise each client by a coin of 0.1."""
    devices: Annotated[Part | None, Slot("devices")] = None
    """How fast the clients' devices are, on a simulated clock; null for no clock."""
    participation: Participation
    """What becomes of a cohort on the way."""
    strategy: Annotated[Part, Slot("strategy", {"name": "weighted"})]
    """How the clients' updates are protected and combined."""
    compression: Annotated[Part | None, Slot("compression")] = None
    """How updates are made smaller on their way to the server; null for not at all."""
    fixed_point: FixedPoint | None = None
    """Updates as vectors of integers, for exact sums, encryption and proofs; null for float32."""
    encryption: Annotated[Part | None, Slot("encryption")] = None
    """How the server adds what it cannot read; null for not at all."""
    proofs: Annotated[Part | None, Slot("proofs")] = None
    """What clients prove of the integers that they send, without showing them; null for nothing."""
    attack: Attack | None = None
    """Malicious clients, to test defences with; null for none."""
    privacy: Privacy
    """How the noise that protects people is drawn, and what is published beside the model."""
    average: Average | None = None
    """The moving average of the global model over the rounds; null for none."""
    evaluation: Evaluation
    """What is measured on held-out examples."""
    checkpoint: Checkpoint
    """What is kept to resume from, and to evaluate later."""
    early_stop: EarlyStop | None = None
    """When to end before the last round; null for never."""
    callbacks: Annotated[tuple[Part, ...], Slot("callbacks", many=True)]
    """The user's own hooks, each `package.module:factory`."""
    executor: Annotated[Part, Slot("executor", {"name": "threads"})]
    """Where clients run."""
