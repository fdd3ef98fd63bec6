"""Replay: proofs of an earlier round are sent again."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from fedcli.components.attacks.attack import Attack
from fedcli.components.attacks.client_halves import ClientHalf, bent
from fedcli.components.attacks.messages import What, passed_off, require_what
from fedcli.core.rounds import ClientUpdate, RoundContext
from fedcli.core.transform import Transform
from fedcli.core.types import Tree


def replay(*, what: What = "proof") -> Attack:
    """Keep the commitment and the proof that were accepted once, and send them in every later round.

    A malicious client is honest the first time. A proof holds for one run, round, client, model and payload. The
    server therefore refuses it the next time and knows the client, under encryption as well.

    Args:
        what: `proof` sends the old commitment and proof with a new update, `message` the old update as well.

    Raises:
        ConfigError: if `what` has another value.

    Combines: runs with proofs.

    Needs: fixed_point={'clip_norm': 10.0, 'max_examples': 100}, proofs={'name': 'norm-bound'}
    """
    require_what(what)

    def bend(honest: ClientHalf) -> ClientHalf:
        def encode(update: ClientUpdate, state: Tree, context: RoundContext) -> ClientUpdate:
            sent = honest(update, state, context)
            # The client's own state carries the message from round to round, so that a resumed run replays it too.
            kept = update.state.get("replay")
            if kept is not None:
                return passed_off(sent, _message(sent, kept), what)
            return replace(sent, state={**sent.state, "replay": _tree(sent)})

        return encode

    return Attack("replay", cheat=lambda transforms: bent(transforms, _proves, bend), on_proofs=True)


def _proves(part: Transform) -> bool:
    return part.proves


def _tree(sent: ClientUpdate) -> Tree:
    # Bytes as arrays, because a client's state is written to an .npz file.
    attachments = {name: np.frombuffer(data, np.uint8) for name, data in sent.attachments.items()}
    figures = {"weight": np.float64(sent.weight), "num_examples": np.int64(sent.num_examples)}
    return {"payload": sent.payload, "attachments": attachments, **figures}


def _message(update: ClientUpdate, kept: Tree) -> ClientUpdate:
    attachments = {name: np.asarray(data).tobytes() for name, data in kept["attachments"].items()}
    weight, num_examples = float(kept["weight"]), int(kept["num_examples"])
    payload = np.asarray(kept["payload"])
    return replace(update, payload=payload, weight=weight, num_examples=num_examples, attachments=attachments)
