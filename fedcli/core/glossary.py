"""The glossary: terms of the field in a sentence each, for the docs, `fedcli docs` and privacy documents."""

from __future__ import annotations

from collections.abc import Mapping

PRIVACY_TERMS: Mapping[str, str] = {
    "accountant": "the calculation that adds up what all releases reveal, and states the total as epsilon and delta",
    "budget": "the largest epsilon that a run may reach; the run stops before the round that would exceed it",
    "checkpoint": "the model and all else that a run needs to go on, as files, with a digest of each",
    "client": "one party with data of its own, such as a person's device or a hospital; all its data stays with it, "
    "and it sends updates",
    "closed form": "a formula for the exact epsilon of Gaussian noise without sampling",
    "clip norm": "the bound on the length of one client's update (or of one example's gradient): what is longer is "
    "scaled down to it, so that nobody can move a sum further",
    "cohort": "the clients that take part in one round",
    "collude": "to tell each other, or the server, what should stay secret",
    "coordinator": "the server, if it does not add the noise itself",
    "delta": "the probability with which the bound of epsilon may fail; it has to be far smaller than 1 over the "
    "number of units",
    "differential privacy": "a property of a procedure: what it releases is almost as likely with one unit's data as "
    "without it, whatever else somebody knows",
    "DP-SGD": "training in small steps, in each of which every example's gradient is clipped and noise is added",
    "discrete Gaussian": "the bell-shaped distribution on whole numbers",
    "epsilon": "the strength of the guarantee: no release is more than e^epsilon times as likely with one unit's "
    "data as without it, apart from delta; smaller protects more, and 0 reveals nothing",
    "Gaussian": "the bell-shaped distribution; its width is its standard deviation",
    "head": "SHA-256 of the last checkpoint's manifest, from which all files of the run follow; whoever knows it "
    "notices every change",
    "local": "each client protects its own data before anything leaves it, so that nobody else has to be trusted",
    "manifest": "the list of the SHA-256 of all files of a checkpoint, with that of the manifest before it",
    "neighbouring relation": "what the two cases differ in that nobody may tell apart; epsilons of different "
    "relations cannot be compared",
    "noise multiplier": "standard deviation of the noise over what one unit can contribute",
    "PLD": "privacy loss distributions, an accountant that is tight up to its numerical grid",
    "Poisson": "each client (or example) takes part by a coin of its own, so that the size of a cohort varies",
    "proof": "a zero-knowledge proof: it shows that a hidden update is not longer than the clip norm, and nothing else",
    "RDP": "Renyi differential privacy, an accountant whose epsilon is an upper bound, often not a tight one",
    "release": "what others see of one round: the new model, or what is added up to it",
    "round": "the server sends the model, clients train it and send updates, and the server adds them to the model",
    "unit of privacy": "what one epsilon protects: all data of one client, or one example",
    "update": "what a client sends: by how much its training moved each weight of the model",
    "zCDP": "zero-concentrated differential privacy, another measure of the guarantee; its rho adds up over releases",
}
"""Terms that a privacy document uses."""

FEDERATED_TERMS: Mapping[str, str] = {
    "admission": "the server's check of what arrives: an update is accepted, or refused and recorded with the reason",
    "aggregator": "the rule by which the server combines the clients' updates into one, such as their mean or median",
    "assemble": "the second stage of an experiment, which builds the Keras model and compiles the clients' training",
    "asynchronous": "rounds in which the server does not wait for a cohort: it moves whenever its buffer is full",
    "attack": "what malicious clients of an experiment send, to test defences",
    "buffer": "the updates that an asynchronous server collects before it moves",
    "Byzantine client": "a client that may send anything, by a fault or on purpose",
    "calibration": "the search for the least noise that keeps the planned rounds within a budget",
    "client drift": "what moves clients apart that train for several steps on unlike data: each goes to an optimum of "
    "its own",
    "component": "what a config names: a dataset, a strategy, a transform and so on",
    "compression": "smaller updates: fewer coordinates, or fewer bits for each",
    "deadline": "seconds on the simulated clock after which the server stops waiting for a round",
    "decile": "a tenth: p10 is the value below which a tenth of the clients lie, p50 the median",
    "dropout": "clients that train and send nothing; of a model, units that are left out at random in training",
    "executor": "where clients run: on threads, in other processes, or in blocks of tiny models",
    "federation": "all clients with their data",
    "fixed point": "updates as whole steps of a grid, so that their sum is exact in any order",
    "heterogeneity": "how unlike the clients' data are, in labels, features or amount",
    "iid": "independent and identically distributed: every client's data look like everybody's",
    "label skew": "a split in which clients have unlike shares of the classes",
    "local algorithm": "what a client computes in a round, such as plain SGD or FedProx's",
    "local training": "what a client does in a round: several steps on its own data, from the global model",
    "masking": "encryption of sums by random numbers that cancel when all clients' updates are added",
    "non-trainable weights": "weights that no gradient moves, such as BatchNorm's statistics",
    "over-selection": "a cohort larger than needed, of which the server takes the first updates to arrive",
    "participation": "what becomes of the clients of a cohort: some drop out, are slow, or come late",
    "partition": "the rule by which a dataset's examples are divided among clients",
    "personal layers": "layers that stay with each client and are never sent",
    "plan": "the first stage of an experiment: everything that needs no TensorFlow, and every refusal",
    "quantity skew": "a split in which clients have unlike amounts of data",
    "recipe": "a named strategy, which is shorthand for parts: a local algorithm, transforms, an aggregator and a "
    "server optimizer",
    "run directory": "the folder that a run writes: its config, metrics, checkpoints and evidence",
    "seed": "the number from which all reproducible randomness of a run follows",
    "server optimizer": "how the server moves the global model along the combined update",
    "simulated clock": "the time that a round would take on devices of given speeds; it costs no real time",
    "staleness": "how many times the server moved between the start of a client's training and the arrival of its "
    "update",
    "straggler": "a client that completes only a part of its work in time",
    "strategy": "how clients train, how their updates are protected and combined, and how the server moves",
    "task": "the loss and the metrics of an experiment",
    "transform": "what is done to an update between client and server: clip, noise, compression, encryption, proof",
    "void round": "a round that leaves the model unchanged, such as one in which too few updates arrived",
    "worst decile": "the mean over the tenth of the clients for which the model is worst",
}
"""Terms of federated learning, and of fedcli."""

TERMS: Mapping[str, str] = dict(
    sorted({**PRIVACY_TERMS, **FEDERATED_TERMS}.items(), key=lambda term: term[0].lower())
)
"""All terms, in the order of the alphabet."""
