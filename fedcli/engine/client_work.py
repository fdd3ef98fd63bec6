"""The clients' work of a round, as a value that can be sent to another thread, process or machine."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Literal

import numpy as np

from fedcli.core.errors import (
    ClientError,
    FedcliError,
    InvalidUpdateError,
    RunInterrupted,
    is_out_of_memory,
)
from fedcli.core.rounds import (
    OUT_OF_TIME,
    Absence,
    Assignment,
    Broadcast,
    ClientUpdate,
    Outcome,
    Rejection,
    RoundContext,
)
from fedcli.core.seeds import generator
from fedcli.core.sums import BLOCK
from fedcli.core.types import Tree
from fedcli.core.user_code import blamed, told
from fedcli.core.vectors import is_finite
from fedcli.engine.arrival_checks import ArrivalChecks
from fedcli.engine.client_side import Clients, ClientSide
from fedcli.engine.encoders import Encoders, encoders_of
from fedcli.engine.returned import has_numbers, require_update
from fedcli.engine.turn_blocks import is_told, traced, trained_together
from fedcli.engine.turns import Turn

TRAINED = "trained"
"""Key in `ClientUpdate.private` of the payload before any transform, for attacks that read honest updates."""


@dataclass(frozen=True)
class ClientWork:
    """The work of all clients of a round: each trains, attacks if it is malicious, and encodes its update.

    Args:
        clients: what does the work.
        context: the round without its sessions, which hold the server's half.
        broadcasts: what the server sent, by the round after which a client received it.
        states: server state of each transform, by name, without secrets.
        told: what each client receives from each session, by transform and client; may be secret.
        kept: what each client keeps from its last participation, by client.
        stage: `whole`; or `train` and then `encode`, if malicious clients act in between.
        crafted: for `encode`, the updates to encode, by client.
        shows_trained: whether outcomes include the payload before any transform, under `TRAINED`.
        rejects_failures: whether a client whose work raises an exception is rejected; otherwise the run is stopped.
        sums: whether a worker may check the updates of a block of clients, and send their sum instead of them.
    """

    clients: Clients
    context: RoundContext
    broadcasts: Mapping[int, Broadcast]
    states: Mapping[str, Tree]
    told: Mapping[str, Mapping[int, Any]] = field(default_factory=dict)
    kept: Mapping[int, Tree] = field(default_factory=dict)
    stage: Literal["whole", "train", "encode"] = "whole"
    crafted: Mapping[int, ClientUpdate] = field(default_factory=dict)
    shows_trained: bool = False
    rejects_failures: bool = False
    sums: bool = False

    def begin(self) -> Callable[[Turn], Outcome]:
        """Move the broadcasts to this process's device, once, and return the function that does one turn."""
        side = self.clients.side
        return partial(self._outcome, side, encoders_of(side.strategy, side.adversary), self._starts(side))

    def begin_blocks(self) -> Callable[[Sequence[Turn]], Sequence[Outcome]]:
        """The same for blocks of turns, whose clients train together.

        Raises:
            ConfigError: if these clients cannot.
        """
        side = self.clients.side
        traced(side.blocks)
        return partial(self._outcomes, side, encoders_of(side.strategy, side.adversary), self._starts(side))

    def length(self, turn: Turn) -> int:
        """The number of batches that a turn trains on."""
        side = self.clients.side
        if turn.absence is not None or side.blocks is None:
            return 0
        planned = side.blocks.num_steps(int(side.federation.num_train[turn.client]))
        return planned if turn.steps is None else min(turn.steps, planned)

    def _starts(self, side: ClientSide) -> Mapping[int, Any]:
        return {model: side.runtime.prepare(sent) for model, sent in self.broadcasts.items()}

    @property
    def result_bytes(self) -> int:
        """About how much memory an update takes: as much as the model that the client received."""
        return max((sent.weights.nbytes for sent in self.broadcasts.values()), default=0)

    def blocks(self, turns: Iterable[Turn]) -> Sequence[Sequence[Turn]]:
        """The turns in blocks of 16 clients that work, whose payloads one worker can add; none if it may not."""
        if not self.sums or not self.broadcasts or self.stage != "whole" or self.shows_trained:
            return ()
        blocks: list[list[Turn]] = []
        present = 0
        for turn in turns:
            if not blocks or (present and present % BLOCK == 0 and turn.absence is None):
                blocks.append([])
                present = 0
            blocks[-1].append(turn)
            present += turn.absence is None
        return blocks

    def fold(self, outcomes: Sequence[Outcome]) -> Sequence[Outcome]:
        """The outcomes of a block with the sum of their payloads in place of these (`ClientUpdate.summed`)."""
        shape = next(iter(self.broadcasts.values())).statistics.shape
        transforms = self.clients.side.strategy.transforms
        return ArrivalChecks(transforms, self.states, self.context, shape).summed(outcomes)

    def give_up(self, turn: Turn, reason: str) -> Outcome:
        """The rejection of a client that did not end.

        Raises:
            ClientError: if the failure of a client stops the run.
        """
        if self.rejects_failures:
            return Rejection(turn.client, f"{OUT_OF_TIME}{reason}", failed=True)
        raise ClientError(f"round {self.context.round}, client {turn.client}: {reason}")

    def _outcomes(
        self, side: ClientSide, encoders: Encoders, starts: Mapping[int, Any], turns: Sequence[Turn]
    ) -> Sequence[Outcome]:
        able = [] if self.stage == "encode" else [turn for turn in turns if self.length(turn)]
        together = trained_together(traced(side.blocks), starts, able, self.kept)
        return [
            self._outcome(side, encoders, starts, turn, trained=together.get(turn.client)) for turn in turns
        ]

    def _outcome(
        self,
        side: ClientSide,
        encoders: Encoders,
        starts: Mapping[int, Any],
        turn: Turn,
        *,
        trained: ClientUpdate | None = None,
    ) -> Outcome:
        if self.stage == "encode":
            return self._encoded(encoders, self.crafted[turn.client])
        own = self._trained(side, starts, turn, trained)
        if self.stage == "train" or not isinstance(own, ClientUpdate):
            return own
        sent = self._encoded(encoders, own)
        if self.shows_trained and isinstance(sent, ClientUpdate):
            return replace(sent, private={TRAINED: own.payload})
        return sent

    def _trained(
        self, side: ClientSide, starts: Mapping[int, Any], turn: Turn, update: ClientUpdate | None
    ) -> Outcome:
        """Local training unless it was done in a block, and the forged update of a malicious client."""
        if turn.absence is not None:
            return Absence(turn.client, turn.absence)
        # Before anything is trained: a proof that is bound to another config would lend it the client's name.
        if self.context.config_digest != side.config_digest:
            return Rejection(turn.client, _not_agreed(side.config_digest, self.context.config_digest))
        try:
            update = update or self._trained_alone(side, starts, turn)
        except InvalidUpdateError as error:
            return Rejection(turn.client, str(error))
        # A custom component can raise anything; the message then says in which round and at which client.
        except (Exception, SystemExit) as error:  # noqa: BLE001
            return self._failed(turn.client, f"the client algorithm {side.strategy.trainer.name}", error)
        if side.strategy.buffer is not None:
            update = replace(update, weight=update.weight * side.strategy.buffer.discount(turn.staleness))
        adversary = side.adversary
        if adversary is None or adversary.attack.forge is None or turn.client not in adversary.clients:
            return update
        rng = generator(self.context.root, self.context.round, turn.client, "attack")
        # The server rejects values that are not finite, so a warning here would only repeat it.
        with (
            np.errstate(over="ignore", invalid="ignore"),
            # The simulation is wrong without its attack, so that this is no failure of the client.
            blamed("the attack", f"round {self.context.round}, client {turn.client}"),
        ):
            return replace(update, payload=adversary.attack.forge(update.payload, rng))

    def _trained_alone(self, side: ClientSide, starts: Mapping[int, Any], turn: Turn) -> ClientUpdate:
        # Read by the worker, and once: a stored state is a file that `items` reads.
        kept = dict(self.kept.get(turn.client, {}).items())
        update = side.runtime.train(starts[turn.model], Assignment(turn.client, kept, turn.steps))
        # The trainer returns its own entries; transforms keep others in the same state.
        return replace(update, state={**kept, **update.state}) if kept else update

    def _encoded(self, encoders: Encoders, update: ClientUpdate) -> Outcome:
        """The update after all client halves of the transforms, first to last."""
        client = update.client
        told = {name: by_client[client] for name, by_client in self.told.items() if client in by_client}
        context = replace(self.context, told=told) if told else self.context
        for transform in encoders.of(client):
            try:
                encoded = transform.encode(update, self.states[transform.name], context)
                require_update(encoded, client)
            except InvalidUpdateError as error:
                diverged = has_numbers(update.payload) and not is_finite(update.payload)
                return Rejection(client, str(error), update.figures, diverged=diverged)
            except (Exception, SystemExit) as error:  # noqa: BLE001
                what = f"the transform {transform.name}"
                return self._failed(client, what, error, update.figures, of=transform.encode)
            update = encoded
        # `private` is for transforms of the same client and never sent.
        return replace(update, private={}) if update.private else update

    def _failed(
        self,
        client: int,
        what: str,
        error: BaseException,
        figures: Mapping[str, float] | None = None,
        *,
        of: Callable[..., object] | None = None,
    ) -> Rejection:
        told_already = is_told(error)
        # These have a message for the user already, and may have a place in the config.
        if isinstance(error, FedcliError | RunInterrupted) and not told_already:
            raise error
        # Memory that runs out is the machine's failure, and would reject other clients on another machine.
        if self.rejects_failures and not is_out_of_memory(error):
            reason = str(error) if told_already else told(what, error, of=of)
            return Rejection(client, reason, figures or {}, failed=True)
        where = f"round {self.context.round}, client {client}"
        raise ClientError(f"{where}: {error}" if told_already else told(what, error, where, of)) from error


def _not_agreed(agreed: bytes, received: bytes) -> str:
    was, is_now = (f"SHA-256 {each.hex()[:16]}..." if each else "none" for each in (agreed, received))
    return (
        f"the client did not agree to the config of this round ({is_now}); it was set up with another ({was})"
    )
