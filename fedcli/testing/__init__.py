"""The laws that fedcli's own parts are held to, for parts of your own.

Each `check_` raises an `AssertionError` that says which law does not hold, and how; call it from a test.
They need neither pytest nor data; TensorFlow is loaded by `check_strategy` and `check_trainer` only.
"""

from fedcli.testing.aggregators import check_aggregator
from fedcli.testing.data import check_dataset, check_partition
from fedcli.testing.server_optimizers import check_server_optimizer
from fedcli.testing.strategies import check_strategy
from fedcli.testing.trainers import check_trainer
from fedcli.testing.transforms import check_transform

__all__ = [
    "check_aggregator",
    "check_dataset",
    "check_partition",
    "check_server_optimizer",
    "check_strategy",
    "check_trainer",
    "check_transform",
]
