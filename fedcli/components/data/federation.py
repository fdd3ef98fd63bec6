"""Federations: every client has its own examples, its own validation split and its own preprocessing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Protocol

import numpy as np

from fedcli.components.data.dataset import Array, Dataset, Rows, Task
from fedcli.components.data.generated import MOST_IN_MEMORY
from fedcli.components.data.partitions.partition import Partition
from fedcli.components.data.preprocessing.preprocessor import (
    Preprocessor,
    Statistics,
    apply_all,
    apply_labels,
    fit_all,
    fit_pooled,
)
from fedcli.components.data.training_pieces import MOST_ONE_BY_ONE, training_pieces
from fedcli.components.data.validation_split import SplitByCount, SplitByExample, ValidationSplit
from fedcli.core.errors import ConfigError, DataError
from fedcli.core.rounds import ClientData

NoiseKey = Callable[[int, str], bytes]
"""`(client, part)` -> 32 bytes, the same at every call; the part is `train` or `validation`."""


def _no_key(client: int, part: str) -> bytes:
    raise DataError(f"There is no key for the noise on the {part} examples of client {client}.")


class Federation(Protocol):
    """What the engine needs of the data. A custom factory may return its own, which makes clients lazily."""

    @property
    def num_clients(self) -> int:
        """Clients in the population, K."""

    @property
    def task(self) -> Task:
        """What the labels are."""

    @property
    def num_outputs(self) -> int:
        """Classes, or targets of one example."""

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Shape of one example after preprocessing."""

    @property
    def num_train(self) -> Rows:
        """Training examples of each client, after the validation split, shape [K]."""

    @property
    def num_validation(self) -> Rows:
        """Validation examples of each client, shape [K]."""

    def client(self, client: int) -> ClientData:
        """The examples of client 0..K-1, made at each call and not kept."""

    @property
    def test(self) -> tuple[Array, Array]:
        """The central test set, preprocessed."""


class PartitionedFederation:
    """A dataset that is divided by a partition; `client` gathers the rows of one client, or has them drawn.

    Made by `federate`, which checks the arguments.
    """

    def __init__(
        self,
        dataset: Dataset,
        partition: Partition,
        *,
        preprocessing: Sequence[Preprocessor],
        split: ValidationSplit,
        noise_key: NoiseKey,
    ) -> None:
        self._dataset = dataset
        self._partition = partition
        self._protected, self._preprocessing = _divided(preprocessing)
        # For labels all steps are one list; for features they are divided after the step that adds noise.
        self._labels = tuple(preprocessing)
        self._split = split
        self._noise_key = noise_key
        self.num_clients = partition.num_clients
        self.task: Task = dataset.task
        self.num_outputs = dataset.num_outputs
        self.has_public_test = dataset.has_public_test
        self.num_validation: Rows = split.num_validation
        self.num_train: Rows = partition.sizes - self.num_validation

    @property
    def source(self) -> Dataset:
        """The dataset before it was divided and preprocessed."""
        return self._dataset

    def labels(self, client: int) -> Array:
        """All labels [n] or targets [n, T] of one client, as the dataset has them: training, then validation."""
        return self._dataset.labels(np.concatenate(self._split.rows(client)))

    @property
    def client_names(self) -> tuple[str, ...] | None:
        """Names of the clients, if the partition is the dataset's natural one and the dataset has names."""
        names = self._dataset.client_names
        # The names first: most datasets have none, and the comparison reads every example's client.
        if names is None or (natural := self._dataset.client_ids) is None:
            return None
        return names if np.array_equal(natural, self._partition.owners()) else None

    @cached_property
    def input_shape(self) -> tuple[int, ...]:
        """Shape of one example after preprocessing, found on the first training example."""
        # One example is enough: statistics change values, and no shape.
        first = self._central(self._dataset.example[0])
        return apply_all(self._preprocessing, fit_all(self._preprocessing, first), first).shape[1:]

    def client(self, client: int) -> ClientData:
        """The examples of one client, preprocessed with the statistics of its own training part.

        Args:
            client: its number, 0..K-1.

        Raises:
            IndexError: if there is no such client.
        """
        train, validation = self._split.rows(client)
        steps = self._preprocessing
        x_train, y_train = self._own(client, "train", train)
        x_validation, y_validation = self._own(client, "validation", validation)
        fitted = fit_all(steps, x_train)
        return ClientData(
            apply_all(steps, fitted, x_train),
            apply_labels(self._labels, y_train),
            apply_all(steps, fitted, x_validation),
            apply_labels(self._labels, y_validation),
        )

    @cached_property
    def test(self) -> tuple[Array, Array]:
        """The central test set, preprocessed with the pooled statistics of all clients' training parts.

        A federation would compute them from its clients' counts, sums and ranges. No client's validation
        examples enter. Computed at first use.
        """
        x_test = self._central(self._dataset.x_test)
        targets = apply_labels(self._labels, self._dataset.y_test)
        return apply_all(self._preprocessing, self._pooled, x_test), targets

    @property
    def example_target(self) -> Array:
        """The label or the targets of one example, [1] or [1, T]: shape and type of all, without the test set."""
        return apply_labels(self._labels, self._dataset.example[1])

    @property
    def fitted(self) -> tuple[Statistics, ...]:
        """The pooled statistics of each step, with which the test set is preprocessed."""
        # Up to the step that adds noise, none learns.
        return (*({} for _ in self._protected), *self._pooled)

    @cached_property
    def _pooled(self) -> tuple[Statistics, ...]:
        # Of clients that are drawn when they are asked for, those whose examples the test set has stand for all.
        drawn = self._dataset.test_clients if self._partition.is_consecutive else None
        clients = range(self.num_clients if drawn is None else drawn)
        if drawn is None and not self._protected and self.num_clients > MOST_ONE_BY_ONE:
            return fit_pooled(self._preprocessing, training_pieces(self._dataset, self._split))
        # One client's rows at a time, so that the whole dataset is never copied.
        return fit_pooled(
            self._preprocessing, lambda: (self._own(k, "train", self._split.rows(k)[0])[0] for k in clients)
        )

    def _own(self, client: int, part: str, rows: Rows) -> tuple[Array, Array]:
        """A client's features after the steps that protect them, with the same noise at every call, and its labels."""
        x, y = self._dataset.take(rows)
        x = self._central(x)
        for step in self._protected:
            # The same key at every call: with new noise each call would be a further release, and could be averaged.
            if step.protection is not None:
                x = step.protection.noise(x, self._noise_key(client, part))
        return x, y

    def _central(self, x: Array) -> Array:
        for step in self._protected:
            # Without statistics: up to the step that protects, none learns from the data (`_check_protection`).
            x = step.apply(x, {})
        return x


def federate(
    dataset: Dataset,
    partition: Partition,
    *,
    preprocessing: Sequence[Preprocessor] = (),
    validation_fraction: float = 0.0,
    by_example: bool = False,
    root_seed: int,
    noise_key: NoiseKey = _no_key,
) -> PartitionedFederation:
    """Divide a dataset over clients, each with its own validation split and preprocessing.

    Args:
        dataset: the examples.
        partition: which client holds which examples.
        preprocessing: steps fitted by every client on its own training part, in this order.
        validation_fraction: share of each client's examples that it validates on, rounded down, in [0, 1);
            at least one example stays for training.
        by_example: whether each example has a coin of its own for that, so that adding one moves no other.
        root_seed: the experiment's seed, from which the split follows.
        noise_key: the key of the noise on a client's own examples, if a step protects them.

    Raises:
        ConfigError: if the fraction is out of range or a step does not fit the dataset.
        DataError: if the partition was made for another dataset.
    """
    if not 0 <= validation_fraction < 1:
        raise ConfigError(
            f"validation_fraction is {validation_fraction}; expected at least 0 and less than 1.",
            key="validation_fraction",
        )
    if len(partition.order) != dataset.num_examples:
        raise DataError(
            f"The partition divides {len(partition.order):,} examples; the dataset has {dataset.num_examples:,}."
        )
    _check_labels(dataset, preprocessing)
    _check_protection(preprocessing)
    split: ValidationSplit
    if by_example:
        if validation_fraction and partition.is_consecutive and partition.num_clients > MOST_IN_MEMORY:
            raise ConfigError(
                f"where single examples are protected, each has a coin of its own for the validation part, for which "
                f"all {partition.num_clients:,} clients would be drawn at the start.",
                key="validation_fraction",
                hint=f"Use validation_fraction: 0.0, or at most {MOST_IN_MEMORY:,} clients.",
            )
        split = SplitByExample(dataset, partition, validation_fraction, root_seed=root_seed)
    else:
        split = SplitByCount(partition, validation_fraction, root_seed=root_seed)
    return PartitionedFederation(
        dataset, partition, preprocessing=preprocessing, split=split, noise_key=noise_key
    )


def _divided(
    steps: Sequence[Preprocessor],
) -> tuple[tuple[Preprocessor, ...], tuple[Preprocessor, ...]]:
    """The steps up to the last one that protects, and the steps after it."""
    ends = [index + 1 for index, step in enumerate(steps) if step.protection is not None]
    end = ends[-1] if ends else 0
    return tuple(steps[:end]), tuple(steps[end:])


def _check_protection(steps: Sequence[Preprocessor]) -> None:
    # A step that is fitted on several examples would let one example change the others before they are clipped.
    protected, _ = _divided(steps)
    for index, step in enumerate(protected):
        key = f"preprocessing.{index}"
        if step.pool:
            raise ConfigError(
                "this step learns from all examples of a client, so that noise after it would not protect one example.",
                key=key,
                hint="Put it after privatise, or use scale with a constant factor.",
            )
        if step.protection is not None and index < len(protected) - 1:
            raise ConfigError(
                "the examples are noised twice, but only one noise can be accounted for.",
                key=key,
                hint="Use one privatise step with a larger noise_multiplier.",
            )


def _check_labels(dataset: Dataset, preprocessing: Sequence[Preprocessor]) -> None:
    # All classes, so that a step that cannot take one of them is refused now and not during training.
    is_classification = dataset.task == "classification"
    targets = np.arange(dataset.num_outputs) if is_classification else dataset.example[1]
    for index, step in enumerate(preprocessing):
        try:
            targets = step.labels(targets)
        except ConfigError as error:
            raise error.under(f"preprocessing.{index}") from error
        if is_classification and targets.ndim == 2 and targets.shape[1] != dataset.num_outputs:
            raise ConfigError(
                f"The targets have {targets.shape[1]} classes; the dataset has {dataset.num_outputs}.",
                key=f"preprocessing.{index}.num_classes",
                hint=f"Use num_classes: {dataset.num_outputs}.",
            )
