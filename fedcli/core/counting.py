"""Numbers with their nouns."""

from __future__ import annotations


def counted(number: int, noun: str) -> str:
    """A number with its noun: 1 round, 2,000 rounds."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
