"""Finding pages of the manual by what a person types."""

from __future__ import annotations

from collections.abc import Iterator

from fedcli.components.clients.runtime.task import DEFAULT_METRICS, SCORES
from fedcli.config import installed, is_reference, nearest
from fedcli.core.errors import ConfigError
from fedcli.core.glossary import TERMS
from fedcli.experiment.manual.column_page import column_pages, is_column
from fedcli.experiment.manual.component_page import NOUNS, component_page, custom_page
from fedcli.experiment.manual.key_page import key_pages, parameter_pages
from fedcli.experiment.manual.manual_page import Page


def look_up(name: str, section: str | None = None) -> list[Page]:
    """All pages about a name: components, then keys, columns and terms.

    Upper and lower case are the same, and so are dashes and underscores. The end of a key is enough: `deadline` finds
    participation.deadline.

    Args:
        name: a component, a key such as cohort.size, a column such as test/accuracy, a term, or package.module:factory.
        section: look only for components of this section.

    Raises:
        ConfigError: if there is none; its hint names what is spelt similarly.
    """
    if is_reference(name):
        return [custom_page(name)]
    found = list(_components(name, section))
    if section is None:
        keys = [*key_pages(), *parameter_pages()]
        columns = list(column_pages())
        exact = [page for page in keys if _same(page.name) == _same(name)]
        found += exact
        found += [page for page in columns if is_column(page, name.lower())]
        found += [_term(term) for term in TERMS if _same(term) == _same(name)]
        # A word such as dropout is a term, and the end of several keys; a whole key is meant as it is.
        found += [page for page in keys if not exact and _same(page.name).endswith(f".{_same(name)}")]
        # The end of a column, as a newcomer who knows no folders would type it: accuracy finds test/<metric>.
        end = name.lower()
        place = "test/<score>" if end in SCORES else "test/<metric>" if end in DEFAULT_METRICS else ""
        found = found or [page for page in columns if page.name == place or page.name.endswith(f"/{end}")]
    if not found:
        raise _nothing(name, section)
    return found


def _components(name: str, section: str | None) -> Iterator[Page]:
    seen = []
    for each in NOUNS if section is None else (section,):
        for known, factory in installed(each).items():
            # A robust strategy has the docstring of its aggregator: one page says it for both.
            if _same(known) == _same(name) and factory.__doc__ not in seen:
                seen.append(factory.__doc__)
                yield component_page(each, known)


def _term(term: str) -> Page:
    return Page("term", term, f"{TERMS[term][0].upper()}{TERMS[term][1:]}.")


def _same(name: str) -> str:
    return name.lower().replace("_", "-").replace(" ", "-")


def _nothing(name: str, section: str | None) -> ConfigError:
    sections = list(NOUNS) if section is None else [section]
    words = [known for each in sections for known in installed(each)]
    if section is None:
        words += [page.name for page in (*key_pages(), *parameter_pages(), *column_pages())] + list(TERMS)
        # The last step of a key too, since nobody types all of them.
        words += [word.rsplit(".", 1)[-1] for word in words if "." in word]
    hint = nearest(name, words) or (
        "`fedcli list KIND` lists the components, `fedcli show CONFIG` the keys, and `fedcli docs test/accuracy` "
        "explains a metric."
    )
    kind = f"{NOUNS[section]}" if section else "component, key, column or term"
    return ConfigError(f"there is no {kind} named {name!r}.", hint=hint)
