"""Lines of the table "who sees what" that several schemes share."""

from __future__ import annotations

from fedcli.components.encryption.scheme import Sight

IN_THE_CLEAR = Sight(
    "server",
    "in the clear, of each client: that it takes part and whether its update arrives, number of examples, weight, "
    "loss and other figures of training and evaluation, bytes and times",
)
CLIENT = Sight("each client", "its own update; every global model that it receives")
DIFFERENCE = Sight(
    "anybody who sees a sum",
    "what the sum reveals: with all updates of a sum but one, the last one is known too; differential privacy protects "
    "against this",
)
DISHONEST = Sight(
    "a server that does not follow the protocol",
    "single updates: it can mix one with values of its own, or tell clients different things; nothing here prevents "
    "that, since clients answer every well-formed request",
)
SIMULATED = Sight(
    "this computer",
    "everything: all roles run in one simulation, as separate objects; whoever can read its memory has every key, and "
    "the values that clients keep, such as control variates, are in clients/ of the run directory",
)


def kept_keys(keep_keys: bool) -> tuple[Sight, ...]:
    """The line for a run that writes its keys to a file."""
    if not keep_keys:
        return ()
    return (
        Sight(
            "whoever can read secret/ of the run directory", "every key of the run, stored for resuming it"
        ),
    )
