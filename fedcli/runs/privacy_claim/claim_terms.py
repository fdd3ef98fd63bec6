"""The glossary of privacy documents: terms of the field in a sentence each."""

from __future__ import annotations

import re
from collections.abc import Iterator

_TERMS = {
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


def glossary(text: str) -> Iterator[tuple[str, str]]:
    """The terms that a text uses, in the order of the alphabet, also those that only their explanations use."""
    found: dict[str, str] = {}
    unread = [text]
    while unread:
        read = unread.pop()
        new = [term for term in _TERMS if term not in found and _uses(read, term)]
        found |= {term: _TERMS[term] for term in new}
        unread += [_TERMS[term] for term in new]
    return iter(sorted(found.items(), key=lambda each: each[0].lower()))


def _uses(text: str, term: str) -> bool:
    return re.search(rf"\b{re.escape(term)}(s|d|rs)?\b", text, re.IGNORECASE) is not None
