"""Checks a timestamp of the head (RFC 3161): that a third party saw the last checkpoint's manifest at a time."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from fedcli.core.errors import ConfigError
from fedcli.crypto.timestamps import read_certificates, read_timestamp, require_signed
from fedcli.runs.verification.report import Finding, skipped
from fedcli.store.files import guarded, limits
from fedcli.store.files.guarded import FileRefused

WHAT = "timestamp of the head"
TOKEN = "head.tsr"


def checked_timestamp(run: Path, head: str | None, certificates: Path | None) -> Iterator[Finding]:
    """Check head.tsr, a response of a time-stamping authority about the last checkpoint's manifest.json.

    Args:
        run: the run directory.
        head: SHA-256 of that manifest, in hexadecimal, which the response must name.
        certificates: a PEM file with the authority's root certificates; without them, its time is nobody's word.

    Raises:
        ConfigError: if the certificates cannot be read.
    """
    try:
        trusted = (
            [] if certificates is None else read_certificates(_content(certificates, certificates.parent))
        )
    except (FileRefused, ValueError) as error:
        raise ConfigError(
            f"{certificates} has no certificates in PEM: {error}.",
            key="tsa_certificates",
            hint="Give the root certificates that the time-stamping authority publishes.",
        ) from None
    try:
        content = _content(run / TOKEN, run)
    except FileRefused as error:
        # Without the file there is nothing to check, unless the caller expects it.
        if certificates is not None or not error.is_missing:
            yield _broken(error.reason)
        return
    try:
        stamp = read_timestamp(content)
    except ImportError:
        why = "its reader is missing; pip install 'fedcli[timestamps]'"
        yield skipped(WHAT, TOKEN, f"what {TOKEN} says", why)
        return
    except ValueError:
        yield _broken("is not a response of a time-stamping authority (RFC 3161)")
        return
    if stamp.digest.hex() != head:
        yield _broken("is about something else than the head of this run")
        return
    time = f"{stamp.time:%Y-%m-%d %H:%M:%S} UTC"
    if not (trusted or stamp.roots):
        why = f"{TOKEN}, which names {time}, has no root certificate; give the authority's with --tsa-certificates"
        yield skipped(WHAT, TOKEN, f"the signature of {TOKEN}", why)
        return
    try:
        require_signed(stamp, trusted or stamp.roots)
    except ValueError as error:
        yield _broken(f"has no valid signature of the authority: {str(error)[:200]}")
        return
    if not trusted:
        # Anybody can make an authority of his own, whose clock shows what he likes.
        why = (
            f"the root certificate that signed {time} is in {TOKEN} itself; give the authority's own with "
            "--tsa-certificates"
        )
        yield skipped(WHAT, TOKEN, f"whose clock {TOKEN} shows", why)
        return
    yield Finding(WHAT, None, TOKEN, sentence=f"{TOKEN} shows that this head existed at {time}.")


def _content(path: Path, below: Path) -> bytes:
    return guarded.read_bytes(path, below=below, limit=limits.CONFIG)


def _broken(reason: str) -> Finding:
    return Finding(WHAT, None, TOKEN, holds=False, sentence=f"{TOKEN} {reason}.")
