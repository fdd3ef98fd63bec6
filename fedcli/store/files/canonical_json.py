"""JSON that may come from anyone: bounded, without duplicate keys, and with one form for one content.

Digests bind bytes, and programs compare values. Where two texts have the same values, a digest of one of them could be
used for the other, and two readers could disagree about them. So a file must have the form in which fedcli writes it.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from typing import Any

import rfc8785

_MOST_VALUES, _MOST_LEVELS = 1_000_000, 64
# More than any integer that a run writes: squared norms stay below 2^80.
_LARGEST = 1 << 127


def parse(content: bytes) -> Any:
    """The value of a JSON text.

    Raises:
        ValueError: if it is not JSON of reasonable size, or has a key twice; the message continues a sentence that
            begins with the file.
    """
    # Counted before anything is made of them: "[[],[],..." takes thirty times its size in memory.
    if content.count(b",") + content.count(b"[") + content.count(b"{") > _MOST_VALUES:
        raise ValueError(f"has more than {_MOST_VALUES:,} values")
    try:
        value = json.loads(content, object_pairs_hook=_object)
    except _Repeated as error:
        raise ValueError(f"has the key {str(error)[:40]!r} twice") from None
    # JSON that is nested too deeply raises a RecursionError.
    except (ValueError, RecursionError):
        raise ValueError("is not JSON") from None
    _require_bounded(value)
    return value


def parse_object(content: bytes) -> dict[str, Any]:
    """The value of a JSON text that is an object; raises as `parse` does."""
    value = parse(content)
    if not isinstance(value, dict):
        raise ValueError("is not an object in JSON")
    return value


def parse_written(content: bytes, *, indent: int | None, sort_keys: bool = False) -> dict[str, Any]:
    """The object of a text that `written` made.

    Raises:
        ValueError: as `parse` does, or if the same values are written in another form.
    """
    value = parse_object(content)
    if written(value, indent=indent, sort_keys=sort_keys) != content:
        raise ValueError("is not written in its canonical form")
    return value


def written(value: object, *, indent: int | None, sort_keys: bool = False) -> bytes:
    """A value as the text of a file, in ASCII, ending with a newline.

    Raises:
        ValueError: if a number is not finite.
    """
    return (json.dumps(value, indent=indent, sort_keys=sort_keys, allow_nan=False) + "\n").encode("ascii")


def encode(value: Any) -> bytes:
    """A value in the canonical form of RFC 8785, for digests that programs in other languages compute as well.

    Raises:
        ValueError: if the value has an integer beyond 2^53 - 1, a number that is not finite, or what JSON lacks.
    """
    encoded: bytes = rfc8785.dumps(value)
    return encoded


def parse_canonical(content: bytes) -> dict[str, Any]:
    """The object of a text that `encode` made.

    Raises:
        ValueError: as `parse` does, or if the text is not in the form of RFC 8785; `10.0` is not, and `10` is.
    """
    value = parse_object(content)
    if encode(value) != content:
        raise ValueError("is not written in its canonical form")
    return value


class _Repeated(Exception):
    """A key that an object has twice."""


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise _Repeated(Counter(name for name, _ in pairs).most_common(1)[0][0])
    return found


def _require_bounded(value: Any) -> None:
    # A loop: a recursion would end where the text is nested deeply.
    level, values = 0, [value]
    while values:
        level += 1
        if level > _MOST_LEVELS:
            raise ValueError(f"is nested more than {_MOST_LEVELS} levels deep")
        inner: list[Any] = []
        for each in values:
            if isinstance(each, dict):
                for name in each:
                    _require_text(name)
                inner.extend(each.values())
            elif isinstance(each, list):
                inner.extend(each)
            elif isinstance(each, str):
                _require_text(each)
            elif type(each) is int and abs(each) >= _LARGEST:
                raise ValueError(f"has an integer of {each.bit_length():,} bits")
            elif type(each) is float and not math.isfinite(each):
                raise ValueError(f"has the number {each}")
        values = inner


def _require_text(text: str) -> None:
    # Half of a surrogate pair is valid JSON, and cannot be printed or encoded.
    if not text.isascii() and any("\ud800" <= character <= "\udfff" for character in text):
        raise ValueError("has a text that is not Unicode")
