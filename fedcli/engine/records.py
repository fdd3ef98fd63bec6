"""What of a round's figures may leave a private run, where only noised ones shall."""

from __future__ import annotations

from typing import Any

from fedcli.core.privacy_events import Sampling

Row = dict[str, Any]
"""One line of metrics.jsonl or clients.jsonl."""

_FIGURES = ("round", "epsilon", "note")
_OF_THE_MODEL = ("test/", "average/test/", "attack/")
_VOID = "void: nothing was released; the round is charged"


def noised_only(record: Row, sampling: Sampling) -> Row:
    """The figures of a round that follow from what was noised, from the config, and from the central test set.

    The test set belongs to no client, so that figures of a noised model on it reveal no more than the model. The
    planned number of clients stays where it is a constant. Everything else goes: training and validation metrics,
    counts, bytes and times; of a void round the reason, which may say how many updates arrived.
    """
    constants = ("clients/planned",) if sampling.scheme in ("fixed", "full") else ()
    kept = (*_FIGURES, *constants)
    left = {name: value for name, value in record.items() if name in kept or name.startswith(_OF_THE_MODEL)}
    return left | {"note": _VOID} if str(left.get("note", "")).startswith("void: ") else left
