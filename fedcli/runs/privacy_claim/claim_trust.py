"""Whom one has to trust: the threat model of a run's claim, and what its encryption and its proofs add."""

from __future__ import annotations

from collections.abc import Iterator

from fedcli.runs.privacy_claim.claim import PrivacyClaim
from fedcli.runs.privacy_claim.claim_markup import bullets, heading, paragraph

_MODELS = {
    "sum": "Central: the server adds the noise. Clients trust it to clip, to add the noise and to keep what it sees "
    "to itself.",
    "shares": "Distributed: each client adds a share of the noise before its update is encrypted, and only a sum is "
    "opened. Clients trust that enough of the others add their share and keep it to themselves.",
    "update": "Local: each client adds all of the noise to its update before it sends it. It trusts nobody else.",
    "gradients": "Local, for examples: each client adds the noise while it trains. Nobody outside the client is "
    "trusted; the client itself sees all its examples.",
    "data": "Local, for examples: each client adds the noise to its examples before any training, once. Nobody "
    "outside the client is trusted.",
}
_UNKNOWN = (
    "A custom component adds the noise, which the config does not describe: ask its author who is trusted."
)


def trust(claim: PrivacyClaim) -> Iterator[str]:
    """The section on trust."""
    yield from heading("Whom one has to trust")
    if claim.statement is None:
        yield from paragraph(
            "Without noise, everybody who sees a model or a figure of this run has to be trusted."
        )
    else:
        yield from paragraph(_MODELS.get(claim.noise_on, _UNKNOWN))
    yield from _encryption(claim)
    yield from _proofs(claim)


def _encryption(claim: PrivacyClaim) -> Iterator[str]:
    if claim.encryption is None:
        if claim.noise_on not in ("update", "gradients", "data"):
            yield from paragraph("Updates are not encrypted: the server sees every single one.")
        return
    yield from paragraph(
        f"Updates are encrypted ({claim.encryption.get('name')}): the server learns their sum only, if "
        f"{claim.encryption.get('assumes')}.",
        "Encryption does not hide the sum, the model, or what follows from them.",
        "Who sees what is in the list below.",
    )
    seen = claim.encryption.get("sees")
    if isinstance(seen, list):
        yield from bullets(f"{each['who']}: {each['what']}" for each in seen if isinstance(each, dict))


def _proofs(claim: PrivacyClaim) -> Iterator[str]:
    if claim.experiment.proofs is None:
        return
    yield from paragraph(
        "Every update comes with a proof that it is not longer than the clip norm, which was checked. It does "
        "not show that a client trained honestly, or on real data."
    )
    who = {"shares": "each client", "sum": "the server"}.get(claim.noise_on)
    if who is not None:
        yield from paragraph(
            f"The noise of {who} is proved to be as short as true noise nearly always is, which is many clip norms "
            "(docs/proofs.md). Who chooses it instead of drawing it can move a sum by that much, and then protects "
            "nobody"
        )
