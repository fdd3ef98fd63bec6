"""Texts of strangers made safe to show: control characters, which could move a cursor or turn a line around."""

from __future__ import annotations

import re

# Controls of C0 and C1, marks and overrides of direction, other ends of lines, and bytes that are not UTF-8.
_UNSEEN = re.compile(r"[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def escaped(text: str, *, keep: str = "") -> str:
    """A text in which control characters are shown, such as the escape character as \\x1b.

    A run directory from somebody else has names and notes that could otherwise move the cursor, and write over what a
    command says.

    Args:
        text: anything.
        keep: control characters that stay, such as the ends of lines of a text of several.
    """
    return _UNSEEN.sub(lambda found: found[0] if found[0] in keep else ascii(found[0])[1:-1], text)
