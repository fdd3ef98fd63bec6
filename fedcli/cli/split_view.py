"""A data split in a terminal: a line for each client, with its size, and what it has of each class."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

import typer

from fedcli.cli.output import escaped

if TYPE_CHECKING:
    from fedcli.components.data.dataset import Array
    from fedcli.runs.data_split import DataSplit

_MOST_CLIENTS = 30
_SAMPLED = 20
"""Lines where there are more clients than anybody reads."""
_WIDEST = 120
_SHADES = " ░▒▓█"
_NAME, _BAR, _CELL = 10, 10, 4
"""Characters of a client's name, of the bar of its size, and of a class at most."""


def print_split(split: DataSplit, columns: int) -> None:
    """Print the clients of a split, or some of them from the largest to the smallest.

    Args:
        split: of at least one client.
        columns: the width of the terminal.
    """
    import numpy as np

    num_clients = len(split.names)
    chosen = np.arange(num_clients)
    if num_clients > _MOST_CLIENTS:
        ranks = np.linspace(0, num_clients - 1, _SAMPLED).round().astype(int)
        chosen = np.argsort(-split.sizes, kind="stable")[ranks]
        these = "these " if split.is_sample else ""
        typer.echo(f"{_SAMPLED} of {these}{num_clients:,} clients, from the largest to the smallest:")
    names = [escaped(split.names[client])[:_NAME] for client in chosen]
    width = max(len("client"), *map(len, names))
    digits = max(len("examples"), len(f"{split.sizes.max():,}"))
    distances = split.total_variation if split.classes else split.earth_movers
    room = min(columns, _WIDEST) - width - digits - _BAR - 13
    header, cells, legend = (_classes if split.classes else _targets)(split, chosen, max(room, 8))
    wide = len(header)
    short = "tv" if split.classes else "emd"
    typer.echo(
        f"{'client':<{width}}  {'examples':>{digits}}  {'':<{_BAR}}  {header:<{wide}}  {short:>5}".rstrip()
    )
    for name, client, cell in zip(names, chosen, cells, strict=True):
        bar = "█" * max(1, round(_BAR * split.sizes[client] / split.sizes.max()))
        size = f"{split.sizes[client]:,}"
        typer.echo(
            f"{name:<{width}}  {size:>{digits}}  {bar:<{_BAR}}  {cell:<{wide}}  {distances[client]:5.3f}"
        )
    typer.echo("\n".join(textwrap.wrap(legend, columns)))


def _classes(split: DataSplit, chosen: Array, room: int) -> tuple[str, list[str], str]:
    """A header, a cell for each client and a legend: how dark a class is shows its share of the client's examples."""
    import numpy as np

    counts = split.counts[chosen]
    num_classes = counts.shape[1]
    # Classes beside each other share a character where there are more of them than characters.
    together = -(-num_classes // room)
    sums = np.add.reduceat(counts, range(0, num_classes, together), axis=1)
    shares = sums / counts.sum(1, keepdims=True)
    wide = min(_CELL, room // shares.shape[1])
    level = np.ceil(shares / shares.max() * (len(_SHADES) - 1)).astype(int)
    cells = ["".join((_SHADES[each] * max(1, wide - 1)).ljust(wide) for each in row) for row in level]
    steps = [
        f"{_SHADES[n]} up to {shares.max() * n / (len(_SHADES) - 1):.0%}" for n in range(1, len(_SHADES))
    ]
    legend = f"{', '.join(steps)} of a client; tv: total variation"
    if together > 1:
        header = f"classes, {together} in a character"
    elif wide > 1 and max(map(len, split.classes)) < wide:
        header = "".join(name.ljust(wide) for name in split.classes)
    else:
        header = f"classes {split.classes[0]} to {split.classes[-1]}"
    return escaped(header).ljust(len(cells[0])), cells, legend


def _targets(split: DataSplit, chosen: Array, room: int) -> tuple[str, list[str], str]:
    """A header, a cell for each client and a legend: the quantiles of the client's targets on one scale."""
    import numpy as np

    room = min(room, 60)
    low, high = float(split.quantiles[chosen].min()), float(split.quantiles[chosen].max())
    places = np.round((split.quantiles[chosen] - low) / ((high - low) or 1.0) * (room - 1)).astype(int)
    cells = []
    for tenth, quarter, middle, three_quarters, ninetieth in places:
        cell = [" "] * room
        cell[tenth : ninetieth + 1] = "-" * (ninetieth + 1 - tenth)
        cell[quarter : three_quarters + 1] = "=" * (three_quarters + 1 - quarter)
        cell[middle] = "o"
        cells.append("".join(cell))
    ends = f"{low:.4g}", f"{high:.4g}"
    legend = "- 10 % to 90 % of the targets, = the middle half, o the median; emd: earth mover's distance"
    return f"{ends[0]}{ends[1]:>{max(1, room - len(ends[0]))}}", cells, legend
