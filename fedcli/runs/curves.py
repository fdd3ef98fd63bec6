"""curves.png: what a run reached and what it cost, round by round, as a picture on a light background."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from fedcli.engine.records import Row
from fedcli.runs.drawing import COLOURS, encoded, new_figure
from fedcli.runs.headline import Headline, headline, is_finite

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from fedcli.config import Experiment

_INCHES_HIGH = 5.5
_COSTS = (
    ("epsilon", "epsilon", 1.0),
    ("simulated/seconds", "simulated seconds", 1.0),
    ("bytes_up", "MB sent by the clients, since the start", 1e6),
)


class Line(NamedTuple):
    """A curve: its name, its rounds, and one value for each."""

    name: str
    rounds: list[int]
    values: list[float]


class Panel(NamedTuple):
    """A panel: its title and its lines."""

    title: str
    lines: list[Line]


def panels_of(records: Sequence[Row]) -> list[Panel]:
    """Test and validation metric, loss, and what the rounds cost, as far as the records have them."""
    chosen = headline(records)
    if chosen is None:
        return []
    metric = chosen.column.partition("/")[2]
    names = dict.fromkeys([metric, "loss"])
    panels = [Panel(name, _lines(records, [f"{part}/{name}" for part in _PARTS])) for name in names]
    for column, title, unit in _COSTS:
        lines = _lines(records, [column], unit)
        # A volume is of one round; what it adds up to is what a user pays.
        panels.append(Panel(title, [_cumulated(line) if column == "bytes_up" else line for line in lines]))
    return [panel for panel in panels if panel.lines]


_PARTS = ("test", "validation", "train", "average/test", "personal/validation")


def title_of(experiment: Experiment) -> str:
    """The title of a run's picture."""
    return f"{experiment.name}: {experiment.strategy.name}"


def curves(records: Sequence[Row], title: str) -> bytes | None:
    """The picture as PNG, 1,600 pixels wide; None if there is nothing to draw.

    Args:
        records: the rounds of metrics.jsonl.
        title: printed above all panels; taken as text, not as markup.
    """
    panels = panels_of(records)
    if not panels:
        return None
    rows = -(-len(panels) // 3)
    wide, high = -(-len(panels) // rows), _INCHES_HIGH * rows
    with new_figure(high) as figure:
        margin = 0.7 / high
        # Fixed margins: to measure every label first would double the time.
        figure.subplots_adjust(left=0.05, right=0.99, bottom=margin, top=1 - margin, wspace=0.16, hspace=0.28)
        figure.suptitle(title[:100])
        for number, panel in enumerate(panels, 1):
            _draw(figure.add_subplot(rows, wide, number), panel, headline(records))
        return encoded(figure)


def _draw(axes: Axes, panel: Panel, chosen: Headline | None) -> None:
    from matplotlib.ticker import MaxNLocator

    for line, colour in zip(panel.lines, COLOURS, strict=False):
        # A few points are not seen as a line.
        marker = "o" if len(line.rounds) < 30 else ""
        axes.plot(
            line.rounds, line.values, marker=marker, markersize=5, linewidth=2, color=colour, label=line.name
        )
        if chosen is not None and line.name == chosen.column:
            label = f"best: {chosen.best:.4g} in round {chosen.best_round}"
            best = (chosen.best_round, chosen.best)
            axes.plot(*best, marker="*", markersize=16, color=colour, linestyle="", label=label)
    axes.set_title(panel.title)
    axes.set_xlabel("round")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.grid(alpha=0.3)
    # A single line has its name in the title.
    if len(axes.get_legend_handles_labels()[1]) > 1:
        axes.legend(fontsize=12)


def _lines(records: Sequence[Row], columns: Sequence[str], unit: float = 1.0) -> list[Line]:
    found = []
    for column in columns:
        points = [
            (int(row["round"]), float(row[column]) / unit) for row in records if is_finite(row.get(column))
        ]
        if points:
            found.append(Line(column, [round for round, _ in points], [value for _, value in points]))
    return found


def _cumulated(line: Line) -> Line:
    total, values = 0.0, []
    for value in line.values:
        total += value
        values.append(total)
    return line._replace(values=values)
