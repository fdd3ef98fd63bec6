"""What all pictures of runs share: a light background, readable labels, colours that everybody can tell apart."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from fedcli.core.errors import ConfigError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Form: TypeAlias = Literal["png", "svg", "pdf"]
_FORMS: dict[str, Form] = {".png": "png", ".svg": "svg", ".pdf": "pdf"}
"""By the end of a file's name."""

# Okabe and Ito: told apart by all readers, and on paper by their lightness.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000")
_INCHES_WIDE, _DOTS_PER_INCH = 16, 100
"""1,600 pixels."""
# A dollar sign in the name of a config begins no formula. Texts of an SVG stay texts, which can be searched.
_STYLE: Any = {"font.size": 14, "text.parse_math": False, "svg.fonttype": "none", "svg.hashsalt": "fedcli"}
# Whatever would differ from run to run, so that the same numbers give the same bytes.
_METADATA: dict[Form, dict[str, None]] = {
    "png": {"Software": None},
    "svg": {"Date": None, "Creator": None},
    "pdf": {"CreationDate": None, "Creator": None, "Producer": None},
}


def picture_form(file: Path) -> Form:
    """The form of a picture, by the end of its file's name.

    Raises:
        ConfigError: if it is of no form that can be drawn.
    """
    form = _FORMS.get(file.suffix.lower())
    if form is None:
        raise ConfigError(
            f"{file} is no picture that can be written.", hint="Give a name that ends in .png, .svg or .pdf."
        )
    return form


@contextmanager
def new_figure(inches_high: float) -> Iterator[Figure]:
    """An empty figure, 16 inches wide, with matplotlib set so that texts are taken as they are.

    Args:
        inches_high: its height.
    """
    # Not pyplot, which would look for a window system and keep the figure.
    from matplotlib import rc_context
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    from fedcli.runs.shown_figure import ShownFigure

    with rc_context(_STYLE):
        figure = ShownFigure((_INCHES_WIDE, inches_high), dpi=_DOTS_PER_INCH, facecolor="white")
        FigureCanvasAgg(figure)
        yield figure


def encoded(figure: Figure, form: Form = "png") -> bytes:
    """A figure as the content of a file."""
    from matplotlib import rc_context

    content = io.BytesIO()
    # A figure that Python users hold is drawn again after the settings of `new_figure` are gone.
    with rc_context(_STYLE):
        figure.savefig(content, format=form, metadata=_METADATA[form])
    return content.getvalue()
