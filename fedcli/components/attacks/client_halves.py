"""Client halves of transforms, changed by malicious clients."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

from fedcli.core.contracts import Transform
from fedcli.core.rounds import ClientUpdate, RoundContext
from fedcli.core.types import Tree

ClientHalf: TypeAlias = Callable[[ClientUpdate, Tree, RoundContext], ClientUpdate]


def bent(
    transforms: Sequence[Transform], name: str, bend: Callable[[ClientHalf], ClientHalf]
) -> list[Transform]:
    """The transforms, with `bend` applied to the client half of the transform `name`."""
    return [part._replace(encode=bend(part.encode)) if part.name == name else part for part in transforms]
