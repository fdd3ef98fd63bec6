"""What a run releases beside its noised models, and who may read which file."""

from __future__ import annotations

from collections.abc import Iterator

from fedcli.runs.privacy_claim.claim import PrivacyClaim
from fedcli.runs.privacy_claim.claim_markup import bullets, heading


def other_releases(claim: PrivacyClaim) -> Iterator[str]:
    """The sections on other releases, and on access."""
    yield from heading("What else was released")
    yield from bullets(_released(claim))
    yield from heading("Access to the files")
    yield from bullets(_access(claim))


def _released(claim: PrivacyClaim) -> Iterator[str]:
    statement = claim.statement
    if statement is None:
        yield "Metrics: all, without noise (metrics.jsonl, clients.jsonl, results.csv, curves.png)"
    else:
        yield f"Metrics: {statement.get('publishes', 'all figures')}"
        if names := statement["published_without_noise"]:
            yield f"Without noise: {', '.join(names)}"
    if claim.learned:
        yield (
            f"Statistics of preprocessing: {' and '.join(claim.learned)} learned from the clients' examples, without "
            "noise. Each client uses its own; the pooled ones prepare the test set and are in model.json"
        )
    else:
        yield "Statistics of preprocessing: none, its built-in steps learn nothing from the clients' examples"
    yield (
        "Search for settings: the files of a run do not say whether its settings were chosen by looking at other "
        "runs on the same data; if so, what these reveal is added"
    )


def _access(claim: PrivacyClaim) -> Iterator[str]:
    if claim.statement is None:
        yield "Who reads the run directory is not controlled by fedcli, but by whoever keeps it"
        return
    published = claim.statement.get("publishes", "")
    if "noised-only" in published:
        yield "To hand on: the models (weights.npz), metrics.jsonl and this document; their figures are covered"
    else:
        yield (
            "To hand on: the models (weights.npz of a checkpoint) and this document. The logs, the table and the "
            "picture of the run are not covered, and the manifests have digests of them"
        )
    yield "To keep: secret/ (keys and state of the noise, readable by its owner only) and clients/ (states of clients)"
    yield "Before training: how data were collected, and who can read them where they are, is beyond this claim"
    yield "Who reads the run directory is not controlled by fedcli, but by whoever keeps it"
