"""Conformance checks for custom components: the laws that fedcli's own components are tested against.

Call them from a test. Each `check_` function raises an `AssertionError` that names the broken law and shows how it
fails. They need neither pytest nor data; only `check_strategy` and `check_trainer` load TensorFlow.
"""

from fedcli.testing.aggregators import check_aggregator
from fedcli.testing.cohorts import check_cohort
from fedcli.testing.data import check_dataset, check_partition
from fedcli.testing.server_optimizers import check_server_optimizer
from fedcli.testing.strategies import check_strategy
from fedcli.testing.trainers import check_trainer
from fedcli.testing.transforms import check_transform

__all__ = [
    "check_aggregator",
    "check_cohort",
    "check_dataset",
    "check_partition",
    "check_server_optimizer",
    "check_strategy",
    "check_trainer",
    "check_transform",
]
