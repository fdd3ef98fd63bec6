"""Ranges of parameters, read from the words in which a docstring states them.

A factory checks the range of its parameters in code, which neither an editor nor a reader of the docs can run. Its
docstring says the same range in words: "above 0", "at least 1", "at most 10,000", "2 to 16", "0 or 0.001 to 1,000,000",
"in [0, 1)".
"""

from __future__ import annotations

import re
from typing import NamedTuple

_NUMBER = r"(-?\d[\d,]*(?:\.\d+)?)"
_INTERVAL = re.compile(rf"\bin ([\[(]){_NUMBER}, {_NUMBER}([\])])")
_SPAN = re.compile(rf"(?:^|, )(0 or )?{_NUMBER} to {_NUMBER}\b")
# Not "at least 7 times" and not "above 2 bytes a weight": the number ends its phrase.
_ABOVE, _AT_LEAST, _AT_MOST = (
    re.compile(rf"\b{words} {_NUMBER}(?=$|,|\.| \(| and | or )") for words in ("above", "at least", "at most")
)


class Range(NamedTuple):
    """The values that a number may take; None is no bound.

    Args:
        least: the smallest value, which is in the range unless `above` is set.
        most: the largest value, which is in the range unless `below` is set.
        above: whether values lie above `least`.
        below: whether values lie below `most`.
    """

    least: float | None = None
    most: float | None = None
    above: bool = False
    below: bool = False

    def __bool__(self) -> bool:
        """Whether there is a bound."""
        return self.least is not None or self.most is not None

    def __str__(self) -> str:
        if self.least is not None and self.most is not None:
            ends = "(" if self.above else "[", ")" if self.below else "]"
            return f"in {ends[0]}{_short(self.least)}, {_short(self.most)}{ends[1]}"
        if self.least is not None:
            return f"{'above' if self.above else 'at least'} {_short(self.least)}"
        if self.most is not None:
            return f"{'below' if self.below else 'at most'} {_short(self.most)}"
        return ""


def stated_range(text: str) -> Range:
    """The range that the description of a parameter states.

    Only its first clause counts: what follows a semicolon explains, as in "above 0; the paper uses 0.1 to 100". A
    bound that is no number, such as "at most the population", is none.
    """
    clause = text.split(";", 1)[0].rstrip(".")
    interval = _INTERVAL.search(clause)
    if interval:
        left, least, most, right = interval.groups()
        return Range(_number(least), _number(most), above=left == "(", below=right == ")")
    span = _SPAN.search(clause)
    if span:
        return Range(0.0 if span[1] else _number(span[2]), _number(span[3]))
    above, at_least, at_most = (pattern.search(clause) for pattern in (_ABOVE, _AT_LEAST, _AT_MOST))
    least = above or at_least
    return Range(
        _number(least[1]) if least else None,
        _number(at_most[1]) if at_most else None,
        above=above is not None,
    )


def _number(text: str) -> float:
    return float(text.replace(",", ""))


def _short(bound: float) -> str:
    return f"{int(bound):,}" if bound.is_integer() else f"{bound:g}"
