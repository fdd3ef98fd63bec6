"""Lines of "who sees what" that the schemes have in common."""

from __future__ import annotations

from fedcli.components.encryption.scheme import Sight

IN_THE_CLEAR = Sight(
    "server",
    "in the clear, of each client: that it takes part and whether it comes through, number of examples, weight, "
    "loss and other figures of training and evaluation, bytes and times",
)
CLIENT = Sight("each client", "its own update; every global model that it is sent")
DIFFERENCE = Sight(
    "anybody who sees a sum",
    "what it tells: who knows all updates of a sum but one knows that one; differential privacy is against this",
)
DISHONEST = Sight(
    "a server that does not follow the protocol",
    "single updates: it can mix one with values of its own, or tell clients different things; nothing here is against "
    "that, since clients answer any request of the right form",
)
SIMULATED = Sight(
    "this computer",
    "everything: all roles run in one simulation, as separate objects; who can read its memory has every key, and what "
    "clients keep for themselves, such as control variates, lies in clients/ of the run directory",
)


def kept_keys(keep_keys: bool) -> tuple[Sight, ...]:
    """The line of a run that writes its keys down."""
    if not keep_keys:
        return ()
    return (
        Sight("who can read secret/ of the run directory", "every key of the run, kept so that it resumes"),
    )
