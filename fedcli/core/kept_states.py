"""Clients' own states, of which a round changes those of its cohort."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol, runtime_checkable

from fedcli.core.types import Tree


@runtime_checkable
class Updatable(Protocol):
    """A mapping that need not be copied to have other values for a few clients."""

    def updated(self, newer: Mapping[int, Tree]) -> Mapping[int, Tree]:
        """The mapping with newer states in place of some; the one before is as it was."""


def updated(clients: Mapping[int, Tree], newer: Mapping[int, Tree]) -> Mapping[int, Tree]:
    """The states of all clients with newer ones in place of some."""
    return clients.updated(newer) if isinstance(clients, Updatable) else {**clients, **newer}
