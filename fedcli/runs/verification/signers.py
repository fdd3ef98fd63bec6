"""Checks who signed: the clients their statements of each round, the server the manifest of each checkpoint."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from fedcli.components.proofs import evidence as files
from fedcli.components.proofs.context import FIRST_PROTOCOL
from fedcli.core.errors import ConfigError, RunError
from fedcli.crypto.ed25519 import SIGNATURE_BYTES, head_message, is_key, is_signed, statements_message
from fedcli.runs.head import read_published
from fedcli.runs.identities import PublicKeys, read_public_keys
from fedcli.runs.verification.chain_links import Link
from fedcli.runs.verification.proof_files import Malformed, read_evidence
from fedcli.runs.verification.protocols import read_agreed
from fedcli.runs.verification.report import Finding, skipped
from fedcli.runs.verification.round_statement import Round
from fedcli.store import checkpoints, directory
from fedcli.store.files import guarded

CLIENTS, SERVER, PUBLISHED = "signatures of clients", "signatures of server", "published keys"
KEYS = "public keys"
KEYS_UNKNOWN = (
    "whose keys these are: they were taken from the run directory itself; --keys FILE compares them with a published "
    "list"
)


UNSIGNED = "who took part: this run has no keys, so its clients signed nothing"


def read_keys(run: Path) -> PublicKeys | Finding | None:
    """The public keys of a run, None in one without, or the finding that they are damaged."""
    try:
        return read_public_keys(run)
    except RunError as error:
        sentence = str(error).removeprefix(f"{run}/")
        return Finding(SERVER, None, directory.ENVIRONMENT, holds=False, sentence=sentence)


def checked_keys(run: Path, keys: PublicKeys | None) -> Iterator[Finding]:
    """Check that a run with proofs has a key for each of its clients, without which nobody signed them."""
    agreed = read_agreed(run)
    # Protocol 1 has no signatures, which the limits say. What is wrong with the protocol is reported elsewhere.
    if isinstance(agreed, Finding) or agreed.protocol == FIRST_PROTOCOL:
        return
    name = directory.ENVIRONMENT
    if keys is None or keys.clients is None:
        sentence = f"{name} has no public keys of clients; under protocol {agreed.protocol} each signs what it proves."
        yield Finding(KEYS, None, name, holds=False, sentence=sentence)
        return
    objection = _objection(keys.server, keys.clients, directory.read_json(run, name).get("num_clients"))
    yield Finding(KEYS, None, name, not objection, f"{name} {objection}." if objection else "")


def _objection(server: bytes, clients: Sequence[bytes], population: object) -> str:
    """What is wrong with public keys, as the end of a sentence that begins with their file; empty if nothing is."""
    if len(clients) != population:
        return f"has {len(clients):,} public keys of clients, and {str(population)[:20]!r} as the number of clients"
    owners = {server: "the server"}
    for client, key in enumerate(clients):
        if not is_key(key):
            return f"has a public key of client {client} that is of small order or not canonical: nobody can own it"
        other = owners.setdefault(key, f"client {client}")
        if other != f"client {client}":
            return f"has one public key for {other} and client {client}; every party has its own"
    return ""


def checked_heads(run: Path, links: Sequence[Link], keys: PublicKeys | None) -> Iterator[Finding]:
    """Check the server's signature of every checkpoint; pruned ones keep theirs."""
    for link in links:
        path = link.folder / checkpoints.SIGNATURE
        file = path.relative_to(run).as_posix()
        if keys is None:
            if guarded.exists(path, below=run):
                sentence = f"{file} is not a file of the run, whose {directory.ENVIRONMENT} has no keys."
                yield Finding(SERVER, link.round, file, holds=False, sentence=sentence)
            continue
        try:
            signature = guarded.read_bytes(path, below=run, limit=SIGNATURE_BYTES)
        except guarded.FileRefused as error:
            sentence = f"{file} {error.reason}."
            yield Finding(SERVER, link.round, file, holds=False, sentence=sentence)
            continue
        message = head_message(bytes.fromhex(link.digest or ""))
        held = is_signed(keys.server, message, signature)
        sentence = f"{file} is not the server's signature of the manifest beside it."
        yield Finding(SERVER, link.round, file, held, "" if held else sentence)


def checked_clients(run: Path, round: Round, keys: PublicKeys | None) -> Iterator[Finding]:
    """Check that every client in a round's sum signed its contexts and commitments."""
    if round.said is None or round.link.manifest is None:
        return
    file = round.file(run, files.SIGNATURES)
    is_there = files.SIGNATURES in round.link.manifest.files
    if keys is None or keys.clients is None:
        if is_there:
            sentence = f"{file} cannot be checked: {directory.ENVIRONMENT} has no public keys of clients."
            yield Finding(CLIENTS, round.link.round, file, holds=False, sentence=sentence)
        return
    if not is_there:
        sentence = f"{file} is missing, though {directory.ENVIRONMENT} has public keys of clients."
        yield Finding(CLIENTS, round.link.round, file, holds=False, sentence=sentence)
        return
    try:
        statements = [each.statement for each in read_evidence(round, round.said).shown]
    except Malformed:
        return  # reported where the proofs are checked
    content = round.read(files.SIGNATURES)
    clients = [each.client for each in round.said.clients]
    if len(content) != SIGNATURE_BYTES * len(clients):
        sentence = f"{file} has {len(content)} bytes; {len(clients)} signatures have {SIGNATURE_BYTES * len(clients)}."
        yield Finding(CLIENTS, round.link.round, file, holds=False, sentence=sentence)
        return
    kinds = 1 if round.said.noise_squared is None else 2
    for place, client in enumerate(clients):
        own = statements[place * kinds : (place + 1) * kinds]
        message = statements_message((each.context, each.commitment) for each in own)
        signature = content[place * SIGNATURE_BYTES : (place + 1) * SIGNATURE_BYTES]
        known = client < len(keys.clients)
        held = known and is_signed(keys.clients[client], message, signature)
        sentence = f"{file} has no valid signature of client {client}."
        yield Finding(CLIENTS, round.link.round, file, held, "" if held else sentence)


def checked_published(
    run: Path, published: Path | None, links: Sequence[Link], keys: PublicKeys | None
) -> Iterator[Finding]:
    """Check keys, and name and head of the run if they are there, against what `fedcli head --json` printed.

    Raises:
        ConfigError: if the list cannot be read, or its server did not sign its head.
    """
    if published is None:
        return
    try:
        expected = read_published(published)
    except ValueError as error:
        raise ConfigError(
            f"{published} {error}.", key="keys", hint="Give the JSON that `fedcli head RUN --json` printed."
        ) from None
    name = directory.ENVIRONMENT
    if keys is None or keys.server != expected.keys.server:
        yield Finding(PUBLISHED, None, name, False, f"{name} does not have the published key of the server.")
    else:
        yield Finding(PUBLISHED, None, name)
    own = None if keys is None else keys.clients
    if own != expected.keys.clients:
        pairs = enumerate(zip(own or (), expected.keys.clients or (), strict=False))
        other = next((client for client, (one, two) in pairs if one != two), None)
        said = "another number of clients" if other is None else f"another key of client {other}"
        yield Finding(PUBLISHED, None, name, False, f"{name} has {said} than the published list.")
    elif own is not None:
        yield Finding(PUBLISHED, None, name)
    if expected.signed is None:
        return
    own_name = directory.read_json(run, name).get("run")
    is_named = own_name == expected.signed.run
    sentence = (
        f"{name} is of the run {str(own_name)[:40]!r}; what was published, of {expected.signed.run[:40]!r}."
    )
    yield Finding(PUBLISHED, None, name, is_named, "" if is_named else sentence)
    round = expected.signed.round
    yield _published_head(round, expected.signed.head, links)
    if links and links[-1].round > round:
        what = f"the rounds after round {round} against a published head"
        yield skipped(
            PUBLISHED, directory.CHECKPOINTS, what, f"the head that was published is that of round {round}"
        )


def _published_head(round: int, head: str, links: Sequence[Link]) -> Finding:
    link = next((link for link in links if link.round == round), None)
    if link is None:
        place = directory.CHECKPOINTS
        sentence = f"{place} has no checkpoint of round {round}, whose head was published."
        return Finding(PUBLISHED, round, place, holds=False, sentence=sentence)
    held = link.digest == head
    sentence = f"{link.file} does not have the published head {head[:16]}..."
    return Finding(PUBLISHED, round, link.file, held, "" if held else sentence)
