"""PyYAML with limits: composes one document without tags into PyYAML's nodes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import yaml

from fedcli.config.problems import ConfigErrors, Place, Problem
from fedcli.config.yaml import scalars

# A config has a few levels and a few hundred values. The limits stop hostile files, in which a few lines expand to
# billions of values or exhaust the stack. PyYAML reads 10,000 values in a third of a second.
MAX_DEPTH = 32
MAX_ALIASES = 100
MAX_NODES = 10_000

At = Callable[[int, int], Place]
"""Turns a line and a column, both counted from 1, into a place."""


class TextPosition(Protocol):
    """A position in the text, as PyYAML marks it; both numbers count from 0."""

    line: int
    column: int


def compose(text: str, at: At, problems: list[Problem]) -> yaml.Node | None:
    """The root of the document, None if it is empty; tags are added to `problems`.

    Raises:
        ConfigErrors: if there is no tree to continue with: a syntax error, a second document, a limit.
    """
    # PyYAML would raise an error of its own, without a line and a column.
    bad = yaml.reader.Reader.NON_PRINTABLE.search(text)
    if bad:
        start = bad.start()
        place = at(text.count("\n", 0, start) + 1, start - text.rfind("\n", 0, start))
        received, expected = f"has the character {bad.group()!r}", "a config has no control characters."
        raise ConfigErrors([Problem(place, "", received, expected, "Remove it.")])
    loader = _Loader(text, at, problems)
    try:
        root: yaml.Node | None = loader.get_single_node()
    except _Limit as limit:
        raise stop(at, limit.mark, "is too large", f"{limit}", "Put data into separate files.") from None
    except yaml.MarkedYAMLError as error:
        said = ", ".join(filter(None, (error.context, error.problem)))
        hint = next((hint for words, hint in _HINTS.items() if words in said), "Correct the line.")
        mark = error.problem_mark or error.context_mark
        raise stop(at, mark, "is not valid YAML", f"{said}.", hint) from None
    except (ValueError, OverflowError) as error:  # "\UFFFFFFFF": PyYAML does not catch the error of chr()
        raise stop(at, loader.get_mark(), "is not valid YAML", f"{error}.", "Correct the escape.") from None
    return root


def stop(at: At, mark: TextPosition | None, received: str, expected: str, hint: str) -> ConfigErrors:
    """The error of a problem at `mark` that ends the reading."""
    return ConfigErrors([Problem(at_mark(mark, at), "", received, expected, hint)])


def at_mark(mark: TextPosition | None, at: At) -> Place:
    """The place of `mark`, or the start of the text if PyYAML set no mark."""
    return at(mark.line + 1, mark.column + 1) if mark else at(1, 1)


_HINTS = {
    "but found another document": "Keep one experiment in a file; remove the line `---`.",
    "'\\t' that cannot start": "Indent with spaces; YAML allows no tabs there.",
    "found undefined alias": "Define the anchor before its alias, or quote text that starts with *.",
    "found duplicate anchor": "Give each anchor a name of its own.",
    "that cannot start any token": "Quote text that starts with a special character.",
    "mapping values are not allowed here": "Quote text that has a colon and a space, or correct the indentation.",
    "could not find expected ':'": "A line of a mapping reads `key: value`.",
    "expected <block end>": "Correct the indentation: entries of one mapping start in one column.",
    "while scanning a quoted scalar": "Close the quotes.",
    "while parsing a flow": "Separate entries by commas, and close every bracket.",
}
"""What to do about an error, by PyYAML's words for it."""


class _Limit(Exception):
    """The text exceeds a limit, and reading on would only take time."""

    def __init__(self, mark: TextPosition | None, expected: str) -> None:
        super().__init__(expected)
        self.mark = mark


class _Loader(yaml.SafeLoader):
    """PyYAML's composer with fedcli's scalars and with limits, which are checked before it recurses."""

    yaml_implicit_resolvers = scalars.resolvers()

    def __init__(self, text: str, at: At, problems: list[Problem]) -> None:
        super().__init__(text)
        self.at, self.problems = at, problems
        self.depth = self.aliases = self.nodes = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        event: yaml.Event = self.peek_event()  # type: ignore[no-untyped-call]
        self.nodes += 1
        self.aliases += isinstance(event, yaml.AliasEvent)
        if self.depth >= MAX_DEPTH:
            raise _Limit(event.start_mark, f"a config has at most {MAX_DEPTH} levels.")
        if self.aliases > MAX_ALIASES:
            raise _Limit(event.start_mark, f"a config uses at most {MAX_ALIASES} aliases.")
        if self.nodes > MAX_NODES:
            raise _Limit(event.start_mark, f"a config has at most {MAX_NODES:,} values.")
        if isinstance(event, yaml.ScalarEvent | yaml.CollectionStartEvent) and event.tag is not None:
            place, tag = at_mark(event.start_mark, self.at), event.tag.replace("tag:yaml.org,2002:", "!!")
            self.problems.append(
                Problem(place, "", f"has the tag {tag}", "a config has no tags.", "Remove the tag.")
            )
            # Without its tag the value is read like any other, so that its other problems are reported too.
            event.tag = None
            if isinstance(event, yaml.ScalarEvent):
                event.implicit = (not event.style, bool(event.style))
        self.depth += 1
        node = super().compose_node(parent, index)
        self.depth -= 1
        return node
