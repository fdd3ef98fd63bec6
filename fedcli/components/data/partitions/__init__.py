"""Partitions of a dataset over clients: factories `f(dataset, rng, *, clients, ...) -> Partition`."""

from __future__ import annotations

from fedcli.components.data.partitions.dirichlet import dirichlet
from fedcli.components.data.partitions.iid import iid
from fedcli.components.data.partitions.natural import natural
from fedcli.components.data.partitions.partition import Partition
from fedcli.components.data.partitions.pathological import pathological
from fedcli.components.data.partitions.quantity_dirichlet import quantity_dirichlet
from fedcli.components.data.partitions.quantity_power_law import quantity_power_law
from fedcli.components.data.partitions.shards import shards
from fedcli.core.factories import Registry

PARTITIONS: Registry = {
    "iid": iid,
    "dirichlet": dirichlet,
    "shards": shards,
    "pathological": pathological,
    "quantity-dirichlet": quantity_dirichlet,
    "quantity-power-law": quantity_power_law,
    "natural": natural,
}

__all__ = ["PARTITIONS", "Partition"]
