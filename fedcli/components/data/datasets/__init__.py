"""Datasets: factories `f(seed, *, ...) -> Dataset`, one file a dataset."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fedcli.components.data.datasets.cifar10 import cifar10
from fedcli.components.data.datasets.cifar100 import cifar100
from fedcli.components.data.datasets.csv import csv
from fedcli.components.data.datasets.digits import digits
from fedcli.components.data.datasets.fashion_mnist import fashion_mnist
from fedcli.components.data.datasets.mnist import mnist
from fedcli.components.data.datasets.npz import npz
from fedcli.components.data.datasets.synthetic import synthetic
from fedcli.components.data.datasets.synthetic_regression import synthetic_regression
from fedcli.core.factories import Registry

DATASETS: Registry = {
    "digits": digits,
    "fashion_mnist": fashion_mnist,
    "mnist": mnist,
    "cifar10": cifar10,
    "cifar100": cifar100,
    "synthetic": synthetic,
    "synthetic_regression": synthetic_regression,
    "npz": npz,
    "csv": csv,
}

_BYTES_TO_UNIT: dict[str, Any] = {"name": "scale", "factor": 1 / 255}

DEFAULT_PREPROCESSING: Mapping[str, tuple[dict[str, Any], ...]] = {
    "digits": ({"name": "scale", "factor": 1 / 16},),
    "fashion_mnist": (_BYTES_TO_UNIT,),
    "mnist": (_BYTES_TO_UNIT,),
    "cifar10": (_BYTES_TO_UNIT,),
    "cifar100": (_BYTES_TO_UNIT,),
    "synthetic": (),
    "synthetic_regression": (),
    "npz": ({"name": "automatic"},),
    "csv": ({"name": "standardise"},),
}
"""The default of `data.preprocessing` for each dataset; a custom dataset has none."""
