"""A figure of matplotlib that a notebook shows. Imports matplotlib, and is itself imported where a figure is made."""

from __future__ import annotations

from typing import final

from matplotlib.figure import Figure


@final
class ShownFigure(Figure):
    """A figure that notebooks show as a picture, also where pyplot was never imported, which would see to it."""

    def _repr_png_(self) -> bytes:
        from fedcli.runs.drawing import encoded

        return encoded(self)
