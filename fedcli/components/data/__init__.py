"""Datasets, partitions over clients, and each client's own split and preprocessing.

NumPy only: a dataset that needs TensorFlow or scikit-learn imports it when it is made.
"""

from __future__ import annotations

from fedcli.components.data.checked_federation import CheckedFederation
from fedcli.components.data.dataset import Dataset, InputColumn, hold_out
from fedcli.components.data.datasets import DATASETS, DEFAULT_PREPROCESSING
from fedcli.components.data.federation import Federation, PartitionedFederation, federate
from fedcli.components.data.partitions import PARTITIONS, Partition
from fedcli.components.data.preprocessing import PREPROCESSORS, Preprocessor
from fedcli.core.rounds import ClientData

__all__ = [
    "DATASETS",
    "DEFAULT_PREPROCESSING",
    "PARTITIONS",
    "PREPROCESSORS",
    "CheckedFederation",
    "ClientData",
    "Dataset",
    "Federation",
    "InputColumn",
    "Partition",
    "PartitionedFederation",
    "Preprocessor",
    "federate",
    "hold_out",
]
