"""Datasets, ways to divide them over clients, and each client's own split and preprocessing.

NumPy only: TensorFlow and scikit-learn are imported by the datasets that need them, when they are made.
"""

from __future__ import annotations

from fedcli.core.rounds import ClientData
from fedcli.data.checked import CheckedFederation
from fedcli.data.dataset import Dataset, hold_out
from fedcli.data.datasets import DATASETS, DEFAULT_PREPROCESSING
from fedcli.data.federation import Federation, PartitionedFederation, federate
from fedcli.data.partitions import PARTITIONS, Partition
from fedcli.data.preprocessing import PREPROCESSORS, Preprocessor

__all__ = [
    "DATASETS",
    "DEFAULT_PREPROCESSING",
    "PARTITIONS",
    "PREPROCESSORS",
    "CheckedFederation",
    "ClientData",
    "Dataset",
    "Federation",
    "Partition",
    "PartitionedFederation",
    "Preprocessor",
    "federate",
    "hold_out",
]
