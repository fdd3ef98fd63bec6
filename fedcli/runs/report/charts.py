"""Vega-Lite descriptions of the charts, without data and without colours of their own: the page has the theme.

Vega was chosen because its code (0.9 MB) fits into the page; it draws SVG, which prints well and takes its colours from
the variables of the page; and it can interpret its expressions, so that the policy of the page forbids `eval`. Plotly
has 4.6 MB and takes texts for markup; Bokeh has 1.2 MB and needs `eval`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

Spec = dict[str, Any]

NUM_COLOURS = 7
_DASHES = ([1, 0], [6, 3], [2, 3], [8, 3, 2, 3])


def lines(x_title: str, y_title: str, series: Sequence[str], *, has_band: bool = False) -> Spec:
    """Curves over rounds or over what they cost, with bands.

    Points have `x`, `y`, `series`, and with bands `low` and `high`.

    Args:
        x_title: of the axis.
        y_title: of the axis.
        series: the names of the curves, in the order of their colours.
        has_band: whether there are bands.
    """
    colour = _colour(series)
    x = _quantity("x", x_title, has_zero=False)
    y = _quantity("y", y_title, has_zero=False)
    layers: list[Spec] = []
    if has_band:
        layers.append(
            {
                "mark": {"type": "area", "opacity": 0.16},
                "encoding": {
                    "x": x,
                    "y": {**y, "field": "low"},
                    "y2": {"field": "high"},
                    "color": colour,
                },
            }
        )
    dash = {
        "field": "series",
        "type": "nominal",
        "legend": None,
        # After as many curves as there are colours, the line tells them apart.
        "scale": {
            "domain": list(series),
            "range": [_DASHES[number // NUM_COLOURS % len(_DASHES)] for number in range(len(series))],
        },
    }
    layers.append(
        {
            "mark": {"type": "line", "strokeWidth": 2},
            "encoding": {"x": x, "y": y, "color": colour, "strokeDash": dash},
        }
    )
    near = {
        "name": "near",
        "select": {"type": "point", "on": "pointerover", "nearest": True, "fields": ["x"]},
    }
    tooltip = [_tip("series", "curve"), _tip("x", x_title, ",.5~g"), _tip("y", "value", ".4~g")]
    if has_band:
        tooltip += [_tip("low", "band from", ".4~g"), _tip("high", "to", ".4~g")]
    layers.append(
        {
            "params": [near],
            "mark": {"type": "point", "filled": True, "size": 55},
            "encoding": {
                "x": x,
                "y": y,
                "color": colour,
                "opacity": {"condition": {"param": "near", "empty": False, "value": 1}, "value": 0},
                "tooltip": tooltip,
            },
        }
    )
    return {"height": 260, "layer": layers}


def stacked(x_title: str, y_title: str, series: Sequence[str], *, has_groups: bool = False) -> Spec:
    """Bars of parts that add up. Points have `x`, `y` and `series`.

    Args:
        x_title: of the axis.
        y_title: of the axis.
        series: the names of the parts, from below, in the order of their colours.
        has_groups: whether `x` is a name and not a round.
    """
    x: Spec = {"field": "x", "type": "nominal", "sort": None, "axis": {"title": x_title, "labelAngle": 0}}
    if not has_groups:
        x = {
            "field": "x",
            "type": "ordinal",
            "axis": {"title": x_title, "labelAngle": 0, "labelOverlap": True},
        }
    return {
        "height": 220,
        "mark": {"type": "bar"},
        "encoding": {
            "x": x,
            "y": _quantity("y", y_title, has_zero=True),
            "color": _colour(series),
            "order": {"field": "order", "type": "quantitative"},
            "tooltip": [_tip("series", "part"), _tip("x", x_title), _tip("y", y_title, ",.4~g")],
        },
    }


def matrix(num_clients: int, num_classes: int) -> Spec:
    """Clients by classes, a darker cell for more examples. Points have `client`, `class` and `examples`."""
    return {
        "height": min(360, max(120, 22 * num_classes)),
        # Strips of the background tell cells apart where there is room for them.
        "mark": {
            "type": "rect",
            "fill": "var(--s1)",
            "stroke": "var(--card)",
            "strokeWidth": 1 if num_clients <= 60 else 0,
        },
        "encoding": {
            "x": {
                "field": "client",
                "type": "ordinal",
                "axis": {"title": "client", "labelAngle": 0, "labelOverlap": True, "grid": False},
            },
            "y": {
                "field": "class",
                "type": "ordinal",
                "sort": None,
                "axis": {"title": "class", "labelOverlap": True, "grid": False},
            },
            "fillOpacity": {
                "field": "examples",
                "type": "quantitative",
                "scale": {"domainMin": 0, "range": [0.04, 1]},
                "legend": None,
            },
            "tooltip": [_tip("client", "client"), _tip("class", "class"), _tip("examples", "examples", ",")],
        },
    }


def dots(x_title: str, num_rows: int, series: Sequence[str]) -> Spec:
    """A row for each group: its runs as dots, its mean with the standard deviation as a bar.

    Points have `series` and `value` for a run; `series`, `mean`, `low` and `high` for a group.
    """
    row = {
        "field": "series",
        "type": "nominal",
        "sort": None,
        "axis": {"title": None, "labelLimit": 150, "grid": False},
    }
    colour = _colour(series)
    return {
        "height": max(60, 38 * num_rows),
        "layer": [
            {
                "mark": {"type": "rule", "strokeWidth": 3, "opacity": 0.55},
                "encoding": {
                    "y": row,
                    "x": _quantity("low", x_title, has_zero=False, padding=12),
                    "x2": {"field": "high"},
                    "color": colour,
                },
            },
            {
                "mark": {"type": "tick", "thickness": 3, "size": 22},
                "encoding": {
                    "y": row,
                    "x": _quantity("mean", x_title, has_zero=False, padding=12),
                    "color": colour,
                    "tooltip": [
                        _tip("series", "runs"),
                        _tip("mean", "mean", ".4~g"),
                        _tip("low", "minus deviation", ".4~g"),
                        _tip("high", "plus deviation", ".4~g"),
                    ],
                },
            },
            {
                "mark": {"type": "circle", "size": 46, "opacity": 0.85},
                "encoding": {
                    "y": row,
                    "x": _quantity("value", x_title, has_zero=False, padding=12),
                    "color": colour,
                    "tooltip": [_tip("series", "runs"), _tip("seed", "seed"), _tip("value", x_title, ".4~g")],
                },
            },
        ],
    }


def scatter(x_title: str, y_title: str, series: Sequence[str]) -> Spec:
    """A dot for each client. Points have `x`, `y`, `series` and `client`."""
    return {
        "height": 240,
        "mark": {"type": "circle", "size": 60, "opacity": 0.75},
        "encoding": {
            "x": _quantity("x", x_title, has_zero=False, padding=12),
            "y": _quantity("y", y_title, has_zero=False, padding=12),
            "color": _colour(series),
            "tooltip": [
                _tip("client", "client"),
                _tip("series", "which"),
                _tip("x", x_title, ",.4~g"),
                _tip("y", y_title, ".4~g"),
            ],
        },
    }


def _quantity(field: str, title: str, *, has_zero: bool, padding: int = 0) -> Spec:
    axis: Spec = {"title": title, "tickCount": 6, "labelOverlap": True}
    if title == "round":
        axis |= {"tickMinStep": 1, "format": ",d"}
    return {
        "field": field,
        "type": "quantitative",
        "axis": axis,
        # Dots at the edge would be cut in half; lines begin at the axis.
        "scale": {"zero": has_zero, "nice": field != "x", **({"padding": padding} if padding else {})},
    }


def _colour(series: Sequence[str]) -> Spec:
    # The legend is in the page, where long names wrap.
    colours = [f"var(--s{number % NUM_COLOURS + 1})" for number in range(len(series))]
    return {
        "field": "series",
        "type": "nominal",
        "legend": None,
        "scale": {"domain": list(series), "range": colours},
    }


def _tip(field: str, title: str, form: str | None = None) -> Spec:
    kind = "nominal" if form is None else "quantitative"
    return {"field": field, "title": title, "type": kind, **({"format": form} if form else {})}
