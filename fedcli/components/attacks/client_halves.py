"""Client halves of transforms, changed by malicious clients."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

from fedcli.core.rounds import ClientUpdate, RoundContext
from fedcli.core.transform import Transform
from fedcli.core.types import Tree

ClientHalf: TypeAlias = Callable[[ClientUpdate, Tree, RoundContext], ClientUpdate]


def bent(
    transforms: Sequence[Transform],
    is_bent: Callable[[Transform], bool],
    bend: Callable[[ClientHalf], ClientHalf],
) -> list[Transform]:
    """The transforms. If `is_bent` chooses one, its client half is replaced by `bend(client half)`."""
    return [part._replace(encode=bend(part.encode)) if is_bent(part) else part for part in transforms]
