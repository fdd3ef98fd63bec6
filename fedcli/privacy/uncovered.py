"""What a privacy statement does not cover, and against whom its epsilon does not hold."""

from __future__ import annotations

from collections.abc import Iterator

from fedcli.privacy.promise import Promise
from fedcli.privacy.table import mechanism_of

_FIGURES = (
    "training, validation and test metrics in metrics.jsonl and clients.jsonl, which are published without noise",
    "which clients took part in a round, their number, example counts and bytes (clients.jsonl, metrics.jsonl, and "
    "proofs/ of a run with proofs)",
)
_ALWAYS = (
    "when the run was stopped, where a callback of the user's stopped it",
    "other runs on the same data, such as that of model.initial_weights: epsilons add up",
    "hyperparameters that were chosen by looking at other runs on the same data",
)
_OF_STATES = (
    "clients' own states in clients/ and their index in checkpoints/*/state.npz (client, round, SHA-256), which a real "
    "federation leaves with the clients: they show who took part, and when"
)
_OF_TIMES = "the simulated seconds in the manifests of checkpoints, which tell who took part: slow devices take longer"
_OF_SINGLE_UPDATES = (
    "single updates, which are not encrypted: what the coordinator sees of one is not covered"
)
_OF_ENCRYPTION = (
    "whether a round had enough updates to be opened: one with fewer is void, and seen to be",
    "who can read the memory of this computer: all roles of the encryption, and every key, are in one simulation",
)
_OF_EXAMPLES = (
    "how many examples a client has, and its training metrics, which the server sees",
    "which examples a client has at all: how a partition deals them out, and which rows of a file become the test set, "
    "are taken as fixed",
)
_OF_BATCHES = (
    "the last bits of other examples' gradients, which an example may change through the batch in which they are "
    "computed: epsilon takes them to be the same whoever else is in the batch"
)
_STATISTICS = (
    "the statistics of preprocessing in model.json: counts, sums and ranges of the features of all clients' training "
    "examples, which are published without noise"
)
_TEST_OF_CLIENTS = "test metrics in metrics.jsonl: the test set consists of clients' own rows"


def not_covered(promise: Promise) -> list[str]:
    """What epsilon does not cover, each as the name of a thing that may reveal something."""
    found: list[str] = []
    if mechanism_of(promise.event).unit == "example":
        found += _OF_EXAMPLES
    if promise.event.noise_on == "gradients":
        found.append(_OF_BATCHES)
    if promise.encryption is not None:
        found += _OF_ENCRYPTION
    elif mechanism_of(promise.event).needs_encryption:
        found.append(_OF_SINGLE_UPDATES)
    if not promise.publishes_noised_only:
        found += _FIGURES
        found += [] if promise.has_public_test else [_TEST_OF_CLIENTS]
    found += [_STATISTICS] if promise.has_statistics else []
    found += [_OF_STATES] if promise.keeps_client_states else []
    # A run that publishes only noised figures keeps them apart, in secret/.
    found += [_OF_TIMES] if promise.has_clock and not promise.publishes_noised_only else []
    return [*found, *_ALWAYS]


def does_not_hold_against(promise: Promise) -> Iterator[str]:
    """Against whom epsilon does not hold, each as the name of somebody."""
    event, encryption = promise.event, promise.encryption
    mechanism = mechanism_of(event)
    if event.noise_multiplier == 0:
        yield "anybody: there is no noise"
        return
    if promise.reproducible_noise:
        yield "whoever knows the experiment's seed (it is in config.yaml): the noise can be taken away"
    if event.noise_on == "sum" and encryption is None:
        yield "the server, which sees every single update, and the exact sum before it adds the noise"
    elif event.noise_on == "sum":
        yield "the server, which sees the exact sum before it adds the noise, and who takes part"
    if mechanism.needs_encryption and encryption is None:
        yield "the server: it sees every single update, with one share of the noise"
    elif mechanism.needs_encryption:
        yield "a server in league with more clients than epsilon counts on (see the epsilons by colluders)"
    if mechanism.unit == "example":
        yield "somebody who asks about a client as a whole: many examples of one client are together not protected"
    if promise.sampling.scheme in ("poisson", "capped-poisson", "fixed") and event.noise_on == "sum":
        yield (
            "somebody who learns which clients were in which round (from the network, the server, or the logs of this "
            "run): the secret of the cohort is part of the guarantee"
        )
    if not promise.publishes_noised_only:
        yield "readers of metrics.jsonl, clients.jsonl or proofs/, which are published without noise"
    yield "whoever can read the memory of this computer, clients/ or secret/: all parties are simulated here"
