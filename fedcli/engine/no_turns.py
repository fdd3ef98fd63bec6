"""Work without items, which shows whether an executor supports the clients of an experiment."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from fedcli.engine.client_side import Clients
from fedcli.engine.turn_blocks import traced


class NoTurns(NamedTuple):
    """Work without items, by which an executor shows whether it supports these clients."""

    clients: Clients

    def begin(self) -> Callable[[None], None]:
        """Never called."""
        return lambda _item: None

    def begin_blocks(self) -> Callable[[Sequence[None]], Sequence[None]]:
        """Never called, if these clients can be trained in blocks."""
        traced(self.clients.side.blocks)
        return lambda items: items

    def length(self, _item: None) -> int:
        """Never called."""
        return 0
