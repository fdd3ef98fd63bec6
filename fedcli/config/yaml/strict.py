"""PyYAML made strict: text -> PyYAML's own nodes, of one document, without tags, within limits."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import yaml

from fedcli.config.problems import ConfigErrors, Place, Problem
from fedcli.config.yaml import scalars

MAX_DEPTH = 32
MAX_ALIASES = 100
MAX_NODES = 100_000

At = Callable[[int, int], Place]
"""Makes a place of a line and a column, both counted from 1."""


def compose(text: str, at: At, problems: list[Problem]) -> yaml.Node | None:
    """The root of the document, None if there is none; tags are refused into `problems`.

    Raises:
        ConfigErrors: for what leaves no tree to go on with: a syntax error, a second document, a limit.
    """
    _check_characters(text, at)
    loader = _Loader(text, at, problems)
    try:
        root: yaml.Node | None = loader.get_single_node()
    except _Limit as limit:
        raise stop(at, limit.mark, "is too much", f"{limit}", "Keep data in files of its own.") from None
    except yaml.MarkedYAMLError as error:
        raise _syntax(error, at) from None
    except (ValueError, OverflowError) as error:  # PyYAML lets chr() fail on "\UFFFFFFFF"
        mark = loader.get_mark()
        raise stop(at, mark, "is not valid YAML", f"{error}.", "Correct the escape.") from None
    return root


def stop(at: At, mark: Any, received: str, expected: str, hint: str) -> ConfigErrors:
    """A problem that ends the reading, at one of PyYAML's marks."""
    return ConfigErrors([Problem(at_mark(mark, at), "", received, expected, hint)])


def at_mark(mark: Any, at: At) -> Place:
    """The place of one of PyYAML's marks, which count from 0."""
    return at(mark.line + 1, mark.column + 1)


def _check_characters(text: str, at: At) -> None:
    bad = yaml.reader.Reader.NON_PRINTABLE.search(text)
    if bad:
        start = bad.start()
        place = at(text.count("\n", 0, start) + 1, start - text.rfind("\n", 0, start))
        received, expected = f"has the character {bad.group()!r}", "a config has no control characters."
        raise ConfigErrors([Problem(place, "", received, expected, "Remove it.")])


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
"""PyYAML's words -> what to do."""


def _syntax(error: yaml.MarkedYAMLError, at: At) -> ConfigErrors:
    said = ", ".join(filter(None, (error.context, error.problem)))
    hint = next((hint for words, hint in _HINTS.items() if words in said), "Correct the line.")
    return stop(at, error.problem_mark or error.context_mark, "is not valid YAML", f"{said}.", hint)


class _Limit(Exception):
    """A limit is passed; reading on would only cost time."""

    def __init__(self, mark: Any, expected: str) -> None:
        super().__init__(expected)
        self.mark = mark


class _Loader(yaml.SafeLoader):
    """PyYAML's composer with fedcli's scalars, and with limits that hold before it recurses."""

    yaml_implicit_resolvers = scalars.resolvers()

    def __init__(self, text: str, at: At, problems: list[Problem]) -> None:
        super().__init__(text)
        self.at, self.problems = at, problems
        self.depth = self.aliases = self.nodes = 0

    def compose_node(self, parent: Any, index: Any) -> Any:
        event = self.peek_event()  # type: ignore[no-untyped-call]
        self._limit(event)
        if getattr(event, "tag", None) is not None:
            self._refuse_tag(event)
        self.depth += 1
        node = super().compose_node(parent, index)
        self.depth -= 1
        return node

    def _limit(self, event: Any) -> None:
        self.nodes += 1
        self.aliases += isinstance(event, yaml.AliasEvent)
        if self.depth >= MAX_DEPTH:
            raise _Limit(event.start_mark, f"a config has at most {MAX_DEPTH} levels.")
        if self.aliases > MAX_ALIASES:
            raise _Limit(event.start_mark, f"a config uses at most {MAX_ALIASES} aliases.")
        if self.nodes > MAX_NODES:
            raise _Limit(event.start_mark, f"a config has at most {MAX_NODES:,} values.")

    def _refuse_tag(self, event: Any) -> None:
        place = at_mark(event.start_mark, self.at)
        received = f"has the tag {event.tag.replace('tag:yaml.org,2002:', '!!')}"
        self.problems.append(Problem(place, "", received, "a config has no tags.", "Remove the tag."))
        # Without its tag the value goes on as what it looks like, so that its other problems show too.
        event.tag = None
        if isinstance(event, yaml.ScalarEvent):
            event.implicit = (not event.style, bool(event.style))
