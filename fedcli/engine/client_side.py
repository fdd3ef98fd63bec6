"""The clients' side of an experiment, which each process builds for itself."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from functools import cached_property
from typing import NamedTuple, final

from fedcli.components.attacks.attack import Adversary
from fedcli.components.data import Federation
from fedcli.components.data.data_digest import data_digest
from fedcli.core.contracts import Strategy
from fedcli.core.errors import (
    ConfigError,
    DataError,
)
from fedcli.core.roles import BlockRuntime, ClientRuntime


class ClientSide(NamedTuple):
    """Everything that a process needs to do the work of any client.

    Args:
        runtime: trains a client, and measures models.
        federation: the data that models are evaluated on.
        strategy: its transforms encode updates.
        adversary: the malicious clients; None without an attack.
        config_digest: SHA-256 of the config that the clients agreed to when they were set up; empty if the run does not
            bind its proofs to it.
        blocks: trains several clients at once; None where nothing can.
    """

    runtime: ClientRuntime
    federation: Federation
    strategy: Strategy
    adversary: Adversary | None = None
    config_digest: bytes = b""
    blocks: BlockRuntime | None = None


@final
class Clients:
    """A `ClientSide` that can be pickled: another process builds its own, since a compiled program cannot be sent.

    Args:
        side: of this process.
        build: builds the same side in another process; None if that is impossible.
        key: identifies the experiment, so that a worker process builds it once; random by default.
    """

    def __init__(
        self, side: ClientSide, build: Callable[[], ClientSide] | None = None, *, key: str | None = None
    ) -> None:
        self.side = side
        self._build, self._key = build, key or uuid.uuid4().hex

    def __reduce__(self) -> tuple[Callable[..., Clients], tuple[str, Callable[[], ClientSide], bytes]]:
        if self._build is None:
            raise ConfigError(
                "this experiment has components that exist only in this process; no other process can train "
                "its clients.",
                key="executor",
                hint="Use executor: threads, or name the components as package.module:factory.",
            )
        return _built_elsewhere, (self._key, self._build, self._digest)

    @cached_property
    def _digest(self) -> bytes:
        return data_digest(self.side.federation)


# A worker process receives the work of every round, and builds the clients' side of an experiment once.
_BUILT: dict[str, Clients] = {}


def _built_elsewhere(key: str, build: Callable[[], ClientSide], digest: bytes) -> Clients:
    if key not in _BUILT:
        # A worker serves one experiment at a time, and a model with its data may be large.
        _BUILT.clear()
        made = Clients(build(), build, key=key)
        if made._digest != digest:
            raise DataError(
                f"the clients' data are not the same in this worker (SHA-256 {made._digest.hex()[:16]}...) as in the "
                f"process that began the run ({digest.hex()[:16]}...).",
                key="data",
                hint="Give all nodes the same files, and custom datasets no randomness but their seed.",
            )
        _BUILT[key] = made
    return _BUILT[key]
