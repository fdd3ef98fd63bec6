"""The glossary of privacy documents: terms of the field in a sentence each."""

from __future__ import annotations

import re
from collections.abc import Iterator

from fedcli.core.glossary import PRIVACY_TERMS


def glossary(text: str) -> Iterator[tuple[str, str]]:
    """The terms that a text uses, in the order of the alphabet, also those that only their explanations use."""
    found: dict[str, str] = {}
    unread = [text]
    while unread:
        read = unread.pop()
        new = [term for term in PRIVACY_TERMS if term not in found and _uses(read, term)]
        found |= {term: PRIVACY_TERMS[term] for term in new}
        unread += [PRIVACY_TERMS[term] for term in new]
    return iter(sorted(found.items(), key=lambda each: each[0].lower()))


def _uses(text: str, term: str) -> bool:
    return re.search(rf"\b{re.escape(term)}(s|d|rs)?\b", text, re.IGNORECASE) is not None
