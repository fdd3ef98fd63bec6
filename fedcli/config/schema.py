"""Schema of a config: one frozen model per section, one docstring per field.

A field with a `Slot` is a component: `{name: ..., **parameters}` or a bare name. The schema says only which registry
has its name; `component_reader.py` checks its parameters against the signature of its factory.
"""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from fedcli.config.part import Part, Section, Slot
from fedcli.config.written_strategy import WrittenStrategy

# The name is part of a path, so it has no slash and no character that some file system forbids.
_NAME = re.compile(r"[A-Za-z0-9._-]{1,80}\Z")


def _folder_name(name: str) -> str:
    if not _NAME.match(name):
        raise ValueError("a name has 1 to 80 letters (a to z), digits, dots, dashes and underscores")
    return name


class Data(Section):
    """The data of the clients: a dataset and its partition; the section's other keys are the dataset's parameters."""

    part: Annotated[Part, Slot("data")]
    """The dataset."""
    partition: Annotated[Part | None, Slot("data.partition"), Field(examples=["{name: iid, clients: 10}"])]
    """How examples are divided among clients; a custom dataset may come divided already."""
    validation_fraction: float = Field(0.2, ge=0, lt=1)
    """Share of its examples that each client keeps for validation."""
    preprocessing: Annotated[tuple[Part, ...], Slot("data.preprocessing", by_dataset=True, many=True)] = (
        Field(examples=["[automatic, flatten]"])
    )
    """Steps that each client fits on its training examples; by default, those that the dataset needs."""


class ModelSection(Section):
    """The Keras model; the section's other keys are the parameters of the architecture."""

    part: Annotated[Part, Slot("model")]
    """The architecture."""
    initial_weights: str | None = Field(None, min_length=1, examples=["weights.npz"])
    """The initial weights: an `.npz` file or a run directory, relative to the working directory."""
    trainable: str | None = Field(None, min_length=1, examples=["'*head*'"])
    """Glob pattern of variable paths, such as `*head*`; the other variables are frozen and never sent."""
    non_trainable: Literal["federated", "local", "frozen"] = "federated"
    """Whether non-trainable weights (BatchNorm statistics) are averaged, kept by each client, or fixed."""
    dtype: Literal["float32", "mixed_bfloat16"] = "float32"
    """The type in which layers calculate. With `mixed_bfloat16` they calculate in bfloat16, of which new GPUs and CPUs
    make several times as many operations a second; weights, losses, updates and sums stay float32."""


class Task(Section):
    """The loss and the metrics; by default, those that suit the dataset."""

    loss: str | None = Field(None, min_length=1, examples=["sparse_categorical_crossentropy"])
    """The loss, by its Keras name."""
    # Strict pydantic accepts only a tuple for a tuple, but YAML has lists; the entries remain strict.
    metrics: Annotated[tuple[str, ...], Field(strict=False)] | None = Field(None, examples=["[accuracy]"])
    """The metrics: `accuracy`, `top_5_accuracy` (or another number), Keras names of means over examples; of the whole
    test set `macro_f1`, `macro_auc` and `worst_class_accuracy`."""


class Client(Section):
    """How a client trains in a round."""

    optimizer: Annotated[Part, Slot("client.optimizer", {"name": "sgd", "learning_rate": 0.05})]
    """The local optimiser."""
    schedule: Annotated[Part, Slot("client.schedule", {"name": "constant"})]
    """How the learning rate changes over the rounds."""
    epochs: int | None = Field(None, ge=1, examples=["5"])
    """Passes over the client's examples in a round; 1 unless `steps` is given."""
    steps: int | None = Field(None, ge=1, examples=["20"])
    """Batches in a round, instead of `epochs`."""
    batch_size: int = Field(32, ge=1)
    """Examples in a batch."""
    clip_gradient_norm: float | None = Field(None, gt=0, examples=["10.0"])
    """Largest l2 norm of a batch's gradient; a larger gradient is scaled down."""

    @model_validator(mode="before")
    @classmethod
    def _one_epoch(cls, values: object) -> object:
        # Not a default of the field: with `steps`, `epochs` is null.
        if isinstance(values, dict) and values.get("epochs") is None and values.get("steps") is None:
            return {**values, "epochs": 1}
        return values


class ParticipationSection(Section):
    """Clients of a cohort that are lost, slow or late."""

    dropout: float = Field(0.0, ge=0, lt=1)
    """Probability that a client drops out and sends nothing."""
    stragglers: float = Field(0.0, ge=0, le=1)
    """Share of the cohort that completes only a random part of its work."""
    partial_work: Literal["keep", "drop"] | None = Field(default=None, examples=["keep"])
    """Whether the updates of stragglers are used; by default the strategy decides (FedProx and FedNova keep them)."""
    deadline: float | None = Field(None, gt=0, examples=["30.0"])
    """Seconds on the simulated clock after which the server stops waiting; null for no deadline."""
    wait_for: int | None = Field(None, ge=1, examples=["8"])
    """Number of updates after which the server stops waiting (over-selection); null for the whole cohort."""
    on_client_error: Literal["reject", "stop"] = "reject"
    """Whether an exception in a client's own work rejects its update for the round, with the reason, or stops the run;
    a run in which every client of a round fails is stopped in either case."""


class AttackSection(Section):
    """Malicious clients, to test defences; the section's other keys are the parameters of the attack."""

    part: Annotated[Part, Slot("attack")]
    """What the malicious clients do."""
    share: float | None = Field(None, gt=0, lt=1, examples=["0.2"])
    """Share of malicious clients, at least one client; the seed draws which."""
    clients: Annotated[tuple[Annotated[int, Field(ge=0)], ...], Field(strict=False, min_length=1)] | None = (
        Field(None, examples=["[0, 3]"])
    )
    """Numbers of the malicious clients, instead of `share`."""


class FixedPoint(Section):
    """Updates as vectors of integers, which have an exact sum: they are clipped, weighted and rounded to a grid.

    The sum is divided by the sum of the weights. In a private run it is divided by the planned cohort size, since
    example counts have no noise.
    """

    clip_norm: float | None = Field(None, gt=0, examples=["10.0"])
    """Largest l2 norm of an update; null to use the clip norm of a private strategy."""
    extra_clip_norm: float | None = Field(None, gt=0, examples=["1.0"])
    """Largest l2 norm of each vector that a strategy sends beside the update, such as SCAFFOLD's control variates."""
    bits: int = Field(20, ge=8, le=24)
    """The clip norm is 2^bits steps of the grid."""
    rounding: Literal["nearest", "stochastic"] = "nearest"
    """Whether values are rounded to the nearest step, or up or down at random."""
    max_examples: int | None = Field(None, ge=1, examples=["100"])
    """Number of examples that gives a client the full weight; fewer give a share of it. Null for equal weights."""


class Privacy(Section):
    """How noise is drawn, and what is published beside the model."""

    reproducible_noise: bool = False
    """Draw the noise from the seed: for tests only, since anyone who knows the seed can subtract the noise."""
    publish: Literal["all", "noised-only"] = "all"
    """Whether metrics.jsonl and clients.jsonl also have figures without noise."""


class Evaluation(Section):
    """Evaluation on held-out examples."""

    every: int = Field(1, ge=1)
    """Rounds between evaluations; the last round of the plan or of the privacy budget is evaluated as well."""
    clients: bool | Annotated[int, Field(ge=1)] = Field(False, examples=["1000"])
    """Whether to evaluate on each client's validation examples as well; a number evaluates a sample of so many clients.

    The sample follows from the seed and is the same in every round; where there are no more clients, it is all of them.
    Its figures are published without noise, like those of all clients, and `publish: noised-only` refuses both.
    """
    batch_size: int = Field(1000, ge=1)
    """Examples in a batch; affects memory but not the result."""


class Checkpoint(Section):
    """What is kept to resume from, and to evaluate later.

    A checkpoint stays whole if `keep_last` or `keep_best` keeps it; with both null, all do. The others are pruned:
    their arrays (the model and the server's state) are removed, and their manifests stay, so that `fedcli verify` can
    check the chain. The states that clients keep go with the last checkpoint that needs them. The last checkpoint is
    never pruned. The best are those with the largest value of the metric, or the smallest where that is better, as for
    losses (`early_stop.mode`, if it is given). Of two equal ones, it is the earlier.
    """

    every: int = Field(1, ge=1)
    """Rounds from one checkpoint to the next; the last round is always kept."""
    keep_last: int | None = Field(None, ge=1, examples=["3"])
    """Checkpoints at the end that keep their arrays, at least 1; null for all."""
    keep_best: int | None = Field(None, ge=1, examples=["1"])
    """Best checkpoints that keep theirs, by `early_stop.metric` or else the task's first metric on test data."""


class Average(Section):
    """An exponential moving average of the global model, which is evaluated and saved beside it."""

    decay: float = Field(gt=0, lt=1, examples=["0.99"])
    """Weight of the previous average in the new one, in (0, 1)."""


class EarlyStop(Section):
    """A rule that ends the run before the last round: a value that is good enough, no improvement, or both."""

    metric: str = Field(min_length=1, examples=["test/loss"])
    """The metric to watch, such as `test/loss`."""
    patience: int | None = Field(None, ge=1, examples=["5"])
    """Number of evaluations without improvement after which the run ends; null for no such rule."""
    at_least: float | None = Field(None, examples=["0.97"])
    """The run ends as soon as the metric has this value or a larger one; null for no such rule."""
    at_most: float | None = Field(None, examples=["0.1"])
    """The run ends as soon as the metric has this value or a smaller one; null for no such rule."""
    mode: Literal["min", "max"] | None = Field(None, examples=["min"])
    """Whether lower or higher is better; by default as its column declares (docs/metrics.md)."""


class Experiment(Section):
    """One experiment, complete with defaults; the config.yaml of its run directory."""

    name: Annotated[str, AfterValidator(_folder_name)] = Field(
        "experiment", json_schema_extra={"pattern": "^[A-Za-z0-9._-]{1,80}$"}
    )
    """The name of the experiment and of its run directories: letters, digits, dots, dashes and underscores."""
    seed: int = Field(0, ge=0, lt=2**63)
    """The seed of all reproducible randomness."""
    rounds: int = Field(ge=1, le=100_000, examples=["10"])
    """Number of training rounds."""
    data: Data = Field(examples=["{name: digits, partition: {name: iid, clients: 10}}"])
    """The data of the clients."""
    model: ModelSection = Field(examples=["{name: mlp}"])
    """The model."""
    task: Task = Field(examples=["{metrics: [accuracy]}"])
    """The loss and the metrics."""
    client: Client = Field(examples=["{epochs: 2, batch_size: 16}"])
    """How a client trains in a round."""
    cohort: Annotated[Part, Slot("cohort", {"name": "full"}, by_strategy=True)]
    """Which clients take part in a round; all by default, and each with probability 0.1 for dp-clipped and its kind."""
    devices: Annotated[Part | None, Slot("devices")] = Field(
        None, examples=["{name: lognormal, spread: 1.0}"]
    )
    """The speed of the clients' devices on a simulated clock; null for no clock."""
    participation: ParticipationSection = Field(examples=["{dropout: 0.1, stragglers: 0.2}"])
    """Clients of a cohort that are lost, slow or late."""
    strategy: Annotated[Part | WrittenStrategy, Slot("strategy", {"name": "weighted"})]
    """How the clients' updates are protected and combined: a name, or a mapping of parts without one."""
    compression: Annotated[Part | None, Slot("compression")] = Field(
        None, examples=["{name: top-k, fraction: 0.1}"]
    )
    """How updates are compressed; null for no compression."""
    fixed_point: FixedPoint | None = Field(None, examples=["{clip_norm: 10.0}"])
    """Updates as integers, for exact sums, encryption and proofs; null for float32."""
    encryption: Annotated[Part | None, Slot("encryption")] = Field(None, examples=["{name: secagg}"])
    """How updates are encrypted, so that the server can decrypt only their sum; null for no encryption."""
    proofs: Annotated[Part | None, Slot("proofs")] = Field(None, examples=["{name: norm-bound}"])
    """What clients prove about their integer updates without revealing them; null for no proofs."""
    attack: AttackSection | None = Field(None, examples=["{name: sign-flip, share: 0.2}"])
    """Malicious clients, to test defences; null for none."""
    privacy: Privacy = Field(examples=["{publish: noised-only}"])
    """How noise is drawn, and what is published beside the model."""
    average: Average | None = Field(None, examples=["{decay: 0.99}"])
    """A moving average of the global model over the rounds; null for none."""
    evaluation: Evaluation = Field(examples=["{every: 5, clients: true}"])
    """Evaluation on held-out examples."""
    checkpoint: Checkpoint = Field(examples=["{every: 5, keep_last: 3}"])
    """What is kept to resume from, and to evaluate later."""
    early_stop: EarlyStop | None = Field(None, examples=["{metric: test/loss, patience: 5}"])
    """A rule that ends the run before the last round; null for none."""
    callbacks: Annotated[tuple[Part, ...], Slot("callbacks", many=True)] = Field(examples=["[tensorboard]"])
    """What is called between the rounds: trackers such as `tensorboard`, and custom ones (`package.module:factory`)."""
    executor: Annotated[Part, Slot("executor", {"name": "threads"})]
    """Where clients run."""

    @property
    def is_uneven(self) -> bool:
        """Whether clients of a cohort may be lost or late, so that fewer updates arrive than were planned."""
        settings = self.participation
        return self.devices is not None or settings.dropout > 0 or settings.stragglers > 0
