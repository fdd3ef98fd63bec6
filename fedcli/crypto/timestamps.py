"""Responses of time-stamping authorities (RFC 3161); needs the optional package rfc3161-client."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from cryptography import x509

_SHA256 = x509.ObjectIdentifier("2.16.840.1.101.3.4.2.1")


class Timestamp(NamedTuple):
    """What an authority says: something with this digest existed at this time. Its signature is not checked yet.

    Args:
        digest: SHA-256 of the stamped bytes; empty if another hash was used.
        time: as the authority says it.
        roots: certificates in the response that signed themselves.
        response: as the package reads it.
    """

    digest: bytes
    time: datetime
    roots: Sequence[x509.Certificate]
    response: Any


def read_timestamp(content: bytes) -> Timestamp:
    """Parse a response.

    Raises:
        ImportError: if the package is not installed.
        ValueError: if it is not a response.
    """
    from rfc3161_client import decode_timestamp_response

    response = decode_timestamp_response(content)
    stamp = response.tst_info.message_imprint
    own = [x509.load_der_x509_certificate(each) for each in response.signed_data.certificates]
    digest = stamp.message if stamp.hash_algorithm == _SHA256 else b""
    return Timestamp(
        digest, response.tst_info.gen_time, [each for each in own if each.issuer == each.subject], response
    )


def read_certificates(content: bytes) -> list[x509.Certificate]:
    """The certificates of a PEM file.

    Raises:
        ValueError: if there are none.
    """
    return x509.load_pem_x509_certificates(content)


def require_signed(timestamp: Timestamp, roots: Sequence[x509.Certificate]) -> None:
    """Check the authority's signature, and that its certificate leads to one of the roots.

    Raises:
        ValueError: if it does not hold.
    """
    from rfc3161_client import VerificationError, VerifierBuilder

    try:
        VerifierBuilder(roots=list(roots)).build().verify(timestamp.response, timestamp.digest)
    except VerificationError as error:
        raise ValueError(str(error)) from None
