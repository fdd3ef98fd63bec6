"""A column of a table, of which a file of millions of rows leaves its characters and not an object for each text."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import final, overload

PIECE_ROWS = 4096
"""Texts that are joined to one, and made into objects again together."""
_BETWEEN = "\x1f"


@final
class TextColumn(Sequence[str]):
    """Texts in their order, joined in pieces of `PIECE_ROWS`. Equal ones are different objects at every reading."""

    def __init__(self) -> None:
        self._pieces: list[str | list[str]] = []
        self._count = 0

    def append(self, texts: Iterable[str]) -> None:
        """Add a piece: `PIECE_ROWS` texts, or fewer if it is the last."""
        texts = list(texts)
        joined = _BETWEEN.join(texts)
        # Texts that hold what is between them stay as they are.
        self._pieces.append(joined if joined.count(_BETWEEN) == len(texts) - 1 else texts)
        self._count += len(texts)

    def pieces(self) -> Iterator[list[str]]:
        """The texts of one piece after the other."""
        for piece in self._pieces:
            yield piece.split(_BETWEEN) if isinstance(piece, str) else piece

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[str]:
        for texts in self.pieces():
            yield from texts

    @overload
    def __getitem__(self, row: int) -> str: ...

    @overload
    def __getitem__(self, row: slice) -> list[str]: ...

    def __getitem__(self, row: int | slice) -> str | list[str]:
        if isinstance(row, slice):
            return list(self)[row]
        number, place = divmod(range(self._count)[row], PIECE_ROWS)
        piece = self._pieces[number]
        return (piece.split(_BETWEEN) if isinstance(piece, str) else piece)[place]
