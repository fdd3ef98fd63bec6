"""Laws of datasets, and of the partitions that divide them among clients."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from fedcli.components.data import Dataset, Partition, federate
from fedcli.core.seeds import generator
from fedcli.testing.laws import law, same_bits


def check_dataset(factory: Callable[..., Dataset], **parameters: object) -> None:
    """Check a dataset factory against the laws of fedcli's own datasets.

    Args:
        factory: `(seed, **parameters)` -> a `fedcli.components.data.Dataset`, which checks shapes and labels itself.
        parameters: parameters as in the YAML file.

    Raises:
        AssertionError: names the law that does not hold.
    """
    name = getattr(factory, "__name__", "the factory")
    first, again = factory(7, **parameters), factory(7, **parameters)
    law(
        isinstance(first, Dataset),
        f"{name}: it returns a fedcli.components.data.Dataset; it returned a {type(first).__name__}.",
    )
    for field in ("x", "y", "x_test", "y_test"):
        law(
            same_bits(getattr(first, field), getattr(again, field)),
            f"{name}: the same seed gives the same examples; {field} differs.",
        )
    # All examples to one client, through the same split as in a run.
    everything = Partition.from_owners(np.zeros(len(first.y), np.int64), 1)
    data = federate(first, everything, validation_fraction=0.2, root_seed=7).client(0)
    law(
        len(data.x_train) + len(data.x_validation) == len(first.y) and len(first.y_test),
        f"{name}: it has training and test examples.",
    )


def check_partition(
    factory: Callable[..., Partition], dataset: Dataset | None = None, **parameters: object
) -> None:
    """Check a partition factory against the laws of fedcli's own partitions.

    Args:
        factory: `(dataset, rng, **parameters)` -> a `Partition` in which every example belongs to exactly one client
            and every client has examples.
        dataset: the dataset to divide; by default 120 examples of three classes.
        parameters: parameters as in the YAML file.

    Raises:
        AssertionError: names the law that does not hold.
    """
    name = getattr(factory, "__name__", "the factory")
    if dataset is None:
        x, y = np.arange(240, dtype=np.float32).reshape(120, 2), np.arange(120) % 3
        dataset = Dataset(x, y, x[:3], y[:3], "classification", 3)
    kept = dataset.x.copy(), dataset.y.copy()
    first, again = (factory(dataset, generator(7, 0, 0, "partition"), **parameters) for _ in range(2))
    law(
        isinstance(first, Partition),
        f"{name}: it returns a fedcli.components.data.Partition; it returned a {type(first).__name__}.",
    )
    law(
        np.array_equal(first.order, again.order) and np.array_equal(first.offsets, again.offsets),
        f"{name}: the same generator deals the same examples to the same clients.",
    )
    law(
        len(first.order) == len(dataset.y),
        f"{name}: it deals out all {len(dataset.y)} examples; it dealt {len(first.order)}.",
    )
    law(
        same_bits(dataset.x, kept[0]) and same_bits(dataset.y, kept[1]),
        f"{name}: it leaves the dataset that it is given unchanged.",
    )
