"""A strategy that is written out part by part, where the file gives no name of one."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from fedcli.config.part import Part, Section, Slot


class Budget(Section):
    """The delta at which epsilon is stated, and the budget."""

    delta: float = Field(gt=0, lt=1, examples=["1.0e-5"])
    """The delta at which epsilon is stated; well below 1 over the number of clients."""
    epsilon: float | None = Field(None, gt=0, examples=["8.0"])
    """The budget: the run stops before the round that would exceed it; null for no budget."""


class Buffering(Section):
    """Asynchronous rounds: the server moves whenever its buffer is full."""

    size: int = Field(10, ge=1)
    """Updates of one round."""
    staleness_exponent: float = Field(0.5, ge=0)
    """An update that started t model updates ago has weight (1 + t)^-staleness_exponent."""
    max_staleness: int | None = Field(None, ge=0, examples=["5"])
    """Model updates after which an update is thrown away; null for never."""


class WrittenStrategy(Section):
    """How clients train, what happens to their updates, and how the server moves."""

    client: Annotated[Part, Slot("strategy.client", {"name": "sgd"})]
    """The local algorithm."""
    weighting: Literal["uniform", "examples"] = "uniform"
    """Whether all clients have the same weight, or their number of training examples."""
    transforms: Annotated[tuple[Part, ...], Slot("strategy.transforms", many=True)] = Field(
        examples=["[{name: clip, clip_norm: 1.0}]"]
    )
    """What is done to an update between client and server, in the order in which the client does it."""
    aggregator: Annotated[Part, Slot("strategy.aggregator", {"name": "mean"})]
    """How the updates are combined into one."""
    server_optimizer: Annotated[Part, Slot("strategy.server_optimizer", {"name": "sgd"})]
    """How the server moves the model along the combined update."""
    privacy: Budget | None = Field(None, examples=["{delta: 1.0e-5, epsilon: 8.0}"])
    """The delta at which epsilon is stated, and the budget; needed if a part adds noise."""
    buffer: Buffering | None = Field(None, examples=["{size: 10}"])
    """Asynchronous rounds; null for rounds that wait for the whole cohort."""
    keeps_partial_work: bool = False
    """Whether the update of a client that could not finish its work is used."""

    @property
    def name(self) -> str:
        """The parts that tell it from others."""
        return " + ".join(part.name for part in (self.client, self.aggregator, self.server_optimizer))
