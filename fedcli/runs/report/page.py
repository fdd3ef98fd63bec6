"""The page: sections in their order, and everything that a browser needs in one file."""

from __future__ import annotations

import base64
import functools
import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import fedcli
from fedcli.core.errors import FedcliError
from fedcli.core.metrics import jsonable
from fedcli.core.printable import escaped
from fedcli.runs.report.attendance import attendance
from fedcli.runs.report.client_spread import client_spread
from fedcli.runs.report.content import Figure, Folded, PageSection, Text
from fedcli.runs.report.contrasts import contrasts
from fedcli.runs.report.divided_data import divided_data
from fedcli.runs.report.expenses import expenses
from fedcli.runs.report.guarantee import guarantee
from fedcli.runs.report.learning import learning
from fedcli.runs.report.origins import origins, repeating
from fedcli.runs.report.scores import scores
from fedcli.runs.report.secrecy import secrecy
from fedcli.runs.report.setting import setting
from fedcli.runs.report.subject import Subject, subject_of
from fedcli.runs.report.verdict import verdict

if TYPE_CHECKING:
    from jinja2 import Environment, PackageLoader
    from markupsafe import Markup

_SECTIONS: Mapping[str, Callable[[Subject], PageSection]] = {
    "Verdict": verdict,
    "Results": scores,
    "Curves": learning,
    "Differences": contrasts,
    "Setting": setting,
    "Data": divided_data,
    "Clients": client_spread,
    "Participation": attendance,
    "Privacy": guarantee,
    "Encryption": secrecy,
    "System": expenses,
    "Repeat": repeating,
    "Config": origins,
}


def report_page(folders: Sequence[Path], metric: str | None = None) -> str:
    """The report of runs as one HTML page that needs no other file and no network.

    Args:
        folders: their run directories.
        metric: the column of metrics.jsonl by which they are judged; by default the headline of the first run.

    Raises:
        ConfigError: if a folder is not a run directory, or a run has no finite value of the column.
    """
    subject = subject_of(folders, metric)
    return render(sections_of(subject), title=_title(subject), javascript=chart_library())


def sections_of(subject: Subject) -> list[PageSection]:
    """The sections that have something to show."""
    return [
        section for title, build in _SECTIONS.items() if (section := _built(title, build, subject)).blocks
    ]


def render(sections: Sequence[PageSection], *, title: str, javascript: str) -> str:
    """The page of sections.

    Args:
        sections: what it shows. Every text is escaped, and so are the numbers of the charts.
        title: of the page.
        javascript: the library of the charts.
    """
    environment, loader = _environment(), _templates()
    style, script = (loader.get_source(environment, name)[0] for name in ("page.css", "page.js"))
    numbered = _numbered(sections)
    return environment.get_template("page.html").render(
        title=title,
        sections=sections,
        charts={chart: [asdict(view) for view in figure.views] for chart, figure in numbered.items()},
        names={id(figure): chart for chart, figure in numbered.items()},
        version=fedcli.__version__,
        policy=_policy(javascript, script),
        style=style,
        script=script,
        javascript=javascript,
    )


@functools.cache
def chart_library() -> str:
    """Vega, Vega-Lite and Vega-Embed as one script."""
    import vl_convert

    return str(vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;"))


def _built(title: str, build: Callable[[Subject], PageSection], subject: Subject) -> PageSection:
    try:
        return build(subject)
    # A run directory may come from anyone, and have anything in place of a number or a list. One section that cannot be
    # made must not cost the others, and must not be missing without a word.
    except (FedcliError, ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        told = str(error) if isinstance(error, FedcliError) else f"{type(error).__name__}: {error}"
        return PageSection(
            title, [Text(f"This section could not be made from the files of the run: {told}", "warning")]
        )


def _title(subject: Subject) -> str:
    if len(subject.groups) > 1:
        return f"{len(subject.groups)} configurations compared"
    return subject.experiment.name


def _numbered(sections: Sequence[PageSection]) -> dict[str, Figure]:
    found: dict[str, Figure] = {}
    blocks = [block for section in sections for block in section.blocks]
    while blocks:
        block = blocks.pop(0)
        if isinstance(block, Folded):
            blocks = [*block.blocks, *blocks]
        elif isinstance(block, Figure):
            found[f"chart-{len(found) + 1}"] = block
    return found


def _policy(*scripts: str) -> str:
    """A policy that runs these scripts only, connects to nothing, and sends nothing anywhere."""
    hashes = " ".join(
        f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"
        for script in scripts
    )
    # Styles in elements, since the charts and their tooltips set some.
    return (
        f"default-src 'none'; script-src {hashes}; style-src 'unsafe-inline'; connect-src 'none'; img-src data:; "
        "form-action 'none'; base-uri 'none'"
    )


@functools.cache
def _templates() -> PackageLoader:
    from jinja2 import PackageLoader

    return PackageLoader("fedcli.runs.report")


@functools.cache
def _environment() -> Environment:
    from jinja2 import Environment, StrictUndefined
    from markupsafe import Markup

    def shown(value: Any) -> Any:
        # Marks of direction and controls would show a text as another one, also where it is escaped as HTML.
        return (
            escaped(value, keep="\n") if isinstance(value, str) and not isinstance(value, Markup) else value
        )

    made = Environment(
        loader=_templates(),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=shown,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters["identity"] = id
    made.filters["coded"] = coded
    made.filters["plain"] = lambda value: jsonable(_shown_within(value))
    return made


def coded(text: str) -> Markup:
    """A text as HTML, in which what is between backticks is code."""
    from markupsafe import Markup, escape

    text = escaped(text, keep="\n")
    # One without a partner stays as it is.
    pieces = re.split("`([^`]*)`", text)
    marked = (
        Markup("<code>{}</code>").format(piece) if index % 2 else escape(piece)
        for index, piece in enumerate(pieces)
    )
    return Markup("").join(marked)


def _shown_within(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {_shown_within(name): _shown_within(below) for name, below in value.items()}
    if isinstance(value, list | tuple):
        return [_shown_within(below) for below in value]
    return escaped(value) if isinstance(value, str) else value
