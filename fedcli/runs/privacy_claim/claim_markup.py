"""Texts of a run as Markdown that shows them as they are."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

_MARKUP = re.compile(
    r"[\\`*\[\]<>&|~]|(?<![0-9A-Za-z])_|_(?![0-9A-Za-z])|^[#+=-]|^\d+(?=[.)](?:\s|\Z))|!(?=\[)|[ ](?=\s|\Z)|^\s"
)
# Ends of lines, controls, and marks that change the direction of writing.
_UNSEEN = re.compile(
    r"[\x00-\x1f\x7f-\x9f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ud800-\udfff\ufeff]"
)


def as_shown(text: object) -> str:
    """A text in which nothing is markup, neither of Markdown nor of HTML, and nothing is unseen.

    Whoever wrote a run chose its names, and the document is opened in a browser.
    """
    seen = _UNSEEN.sub(lambda found: ascii(found[0])[1:-1], str(text))
    return _MARKUP.sub(_escaped, seen)


def _escaped(found: re.Match[str]) -> str:
    text = found[0]
    if text.isspace():
        return "&#32;"
    # A number at the start of a line would begin a list at its dot, which alone can be escaped.
    return f"&#{ord(text[0])};{text[1:]}" if text[0].isdigit() else f"\\{text}"


def table(rows: Iterable[tuple[str, object]]) -> Iterator[str]:
    """Lines of a table of two columns, in which nothing is markup."""
    yield from ("| question | answer |", "|---|---|")
    for left, right in rows:
        yield f"| {as_shown(left)} | {as_shown(right)} |"
    yield ""


def bullets(sentences: Iterable[str]) -> Iterator[str]:
    """Lines of a list; each sentence begins with a capital and ends with a full stop."""
    yield from (f"- {as_shown(whole(sentence))}" for sentence in sentences)
    yield ""


def whole(sentence: str) -> str:
    """A sentence that begins with a capital and ends with a full stop."""
    # A name of a file keeps its letters.
    first = sentence.split(" ", 1)[0]
    begun = sentence[:1].upper() + sentence[1:] if first.isalpha() else sentence
    return begun if begun.endswith((".", "!", "?", ":")) else f"{begun}."


def paragraph(*sentences: str) -> Iterator[str]:
    """Lines of a paragraph, in which nothing is markup."""
    yield as_shown(" ".join(map(whole, sentences)))
    yield ""


def heading(text: str, level: int = 2) -> Iterator[str]:
    """Lines of a heading."""
    yield f"{'#' * level} {as_shown(text)}"
    yield ""
