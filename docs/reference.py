"""The pages of reference: strategies, components, keys of the config and the glossary, made from the code.

Run it at the root of the repository after a docstring, a signature or a key was changed: `python docs/reference.py`.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator
from pathlib import Path

from fedcli.core.glossary import TERMS
from fedcli.experiment.manual import NOUNS, Described, Page, component_pages, key_pages

FOLDER = Path("docs")
MADE = "The page is made from the code by `python docs/reference.py`."


def pages() -> dict[str, str]:
    """The text of every page, by its file name."""
    return {
        "gallery.md": _text(_gallery()),
        "components.md": _text(_components()),
        "configuration_reference.md": _text(_configuration()),
        "glossary.md": _text(_glossary()),
    }


def _text(lines: Iterator[str]) -> str:
    return "\n".join(lines).rstrip("\n") + "\n"


def _gallery() -> Iterator[str]:
    strategies = list(component_pages("strategy"))
    yield f"""# Gallery of strategies

All {len(strategies)} strategies: what each computes, its parameters, its paper and an example.
[strategies.md](strategies.md) says which to take for what, and `fedcli docs NAME` prints a section of this page.
{MADE}

In the formulas w is the global model, u_k the change that client k's local training made to it, and n_k the number of
its training examples; `<-` is an assignment.

| strategy | what it is |
|---|---|"""
    for page in strategies:
        yield f"| [{page.name}](#{page.name}) | {_cell(page.summary)} |"
    for page in strategies:
        yield from ("", f"## {page.name}", "", *_body(page))


def _components() -> Iterator[str]:
    yield f"""# Components

Everything else that a config can name, by its section; the strategies have a [gallery](gallery.md) of their own. A
component of your own is named `package.module:factory`.
{MADE}"""
    for section, noun in NOUNS.items():
        if section == "strategy":
            continue
        made = list(component_pages(section))
        yield from ("", f"## `{section}`", "", f"The {noun}: {', '.join(f'`{page.name}`' for page in made)}.")
        for page in made:
            yield from ("", f"### {page.name}", "", *_body(page))


def _configuration() -> Iterator[str]:
    yield f"""# Configuration reference

Every key of a config with its type, default, range, meaning and an example. [configuration.md](configuration.md)
explains how a config is read, and `fedcli schema` prints the same as JSON Schema. The parameters of components are in
[components.md](components.md).
{MADE}"""
    for page in key_pages():
        level = "##" if "." not in page.name else "###"
        yield from ("", f"{level} `{page.name}`", "", _prose(page.summary), "")
        for label, text in page.facts:
            shown = f"`{text}`" if label == "default" and not text.startswith("none:") else _prose(text)
            yield f"- **{label}:** {shown}"
        yield from ("", "```yaml", page.example.rstrip("\n"), "```")


def _glossary() -> Iterator[str]:
    yield from (
        "# Glossary",
        "",
        f"Terms of the field and of fedcli; `fedcli docs TERM` prints one. {MADE}",
        "",
    )
    for term, text in TERMS.items():
        yield f"- **{term}:** {_prose(text)}."


def _body(page: Page) -> Iterator[str]:
    yield _prose(page.summary)
    for paragraph in page.details:
        yield from ("", _prose(paragraph))
    if page.formula:
        lines = textwrap.wrap(page.formula, 100, break_on_hyphens=False, break_long_words=False)
        yield from ("", "```text", *lines, "```")
    if page.entries:
        yield from (
            "",
            "| parameter | type | default | meaning |",
            "|---|---|---|---|",
            *map(_row, page.entries),
        )
    if page.facts:
        yield ""
    for label, text in page.facts:
        yield f"- **{label}:** {_prose(text)}"
    yield from ("", "```yaml", page.example.rstrip("\n"), "```")


def _row(entry: Described) -> str:
    type_ = f"{entry.type}, {entry.range}" if entry.range else entry.type
    default = "required" if entry.default is None else f"`{entry.default}`"
    return f"| `{entry.name}` | {_cell(type_)} | {_cell(default)} | {_cell(entry.about)} |"


def _cell(text: str) -> str:
    return _prose(text).replace("|", "\\|")


def _prose(text: str) -> str:
    """A docstring's text as Markdown: outside of code, `<` and `*` are characters like others."""
    parts = text.split("`")
    # Every other part is between backquotes. A star between spaces emphasises nothing.
    parts[::2] = [re.sub(r"\*(?=\S)|(?<=\S)\*", r"\\*", part.replace("<", "&lt;")) for part in parts[::2]]
    return "`".join(parts)


if __name__ == "__main__":
    for name, text in pages().items():
        (FOLDER / name).write_text(text, encoding="utf-8")
