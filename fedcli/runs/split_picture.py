"""A data split as a picture: what each client has of each class, or its range of targets, beside its size."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from fedcli.components.data.dataset import Rows
from fedcli.runs.data_split import LEVELS, DataSplit
from fedcli.runs.drawing import COLOURS, Form, encoded, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST_NAMED = 40
"""With more clients than this, their names and numbers could not be read; they are sorted by size instead."""
_MOST_CLASSES_NAMED = 25
# Beside the title, where it covers no data.
_ABOVE: dict[str, Any] = {
    "loc": "lower right", "bbox_to_anchor": (1.02, 1.0), "ncols": 3, "frameon": False, "fontsize": 12,
    "borderpad": 0.0, "columnspacing": 1.0, "handlelength": 1.2,
}  # fmt: skip


def split_picture(split: DataSplit, title: str, form: Form = "png") -> bytes:
    """The picture of a split, 1,600 pixels wide.

    Args:
        split: of at least one client.
        title: printed above all panels; taken as text, not as markup.
        form: the kind of file.
    """
    num_clients = len(split.names)
    is_named = num_clients <= MOST_NAMED
    order = np.arange(num_clients) if is_named else np.argsort(-split.sizes, kind="stable")
    high = min(max(6.0, 2.5 + 0.35 * num_clients), 12.0)
    with new_figure(high) as figure:
        figure.suptitle(title[:100], y=1 - 0.3 / high)
        bottom, top = 0.9 / high, 1 - 1.1 / high
        left = figure.add_axes((0.08, bottom, 0.56, top - bottom))
        right = figure.add_axes((0.74, bottom, 0.24, top - bottom), sharey=left)
        if split.classes:
            _draw_classes(left, split, order)
        else:
            _draw_targets(left, split, order)
        _draw_sizes(right, split, order)
        shown = f"{num_clients:,}{f' of {split.whole.num_clients:,}' if split.is_sample else ''}"
        left.set_ylabel("client" if is_named else f"{shown} clients, the largest first")
        left.set_ylim(num_clients - 0.5, -0.5)
        if is_named:
            left.set_yticks(range(num_clients), [name[:14] for name in split.names])
            right.tick_params(labelleft=False)
        return encoded(figure, form)


def _draw_classes(axes: Axes, split: DataSplit, order: Rows) -> None:
    counts = split.counts[order]
    shares = counts / counts.sum(1, keepdims=True)
    # Light where there is nothing, so that numbers can be read in black on all but the darkest cells.
    image = axes.imshow(shares, aspect="auto", cmap="Blues", vmin=0, interpolation="nearest")
    num_clients, num_classes = counts.shape
    if num_clients <= MOST_NAMED and num_classes <= _MOST_CLASSES_NAMED:
        limit = shares.max() * 0.6
        for client, label in np.ndindex(counts.shape):
            colour = "white" if shares[client, label] > limit else "#444444"
            if counts[client, label]:
                axes.text(
                    label,
                    client,
                    f"{counts[client, label]:,}",
                    ha="center",
                    va="center",
                    color=colour,
                    size=10,
                )
    if num_classes <= _MOST_CLASSES_NAMED:
        is_long = max(map(len, split.classes)) > 4
        axes.set_xticks(
            range(num_classes), [name[:12] for name in split.classes], rotation=30 if is_long else 0
        )
    mean = split.mean(split.total_variation)
    axes.set_title(f"classes (mean total variation {mean:.3f})", size=14, loc="left")
    axes.set_xlabel("class")
    bar = axes.figure.colorbar(image, cax=axes.inset_axes((1.02, 0.0, 0.025, 1.0)))
    bar.set_label("share of the client's examples", size=12)


def _draw_targets(axes: Axes, split: DataSplit, order: Rows) -> None:
    low, quarter, middle, three_quarters, high = split.quantiles[order].T
    rows = np.arange(len(order))
    axes.hlines(rows, low, high, color=COLOURS[4], linewidth=2, label=f"{LEVELS[0]:.0%} to {LEVELS[-1]:.0%}")
    axes.hlines(rows, quarter, three_quarters, color=COLOURS[0], linewidth=5, label="middle half")
    axes.plot(middle, rows, "o", color="black", markersize=4, label="median")
    axes.set_title(
        f"targets (mean earth mover's distance {split.mean(split.earth_movers):.3f} sd)", size=14, loc="left"
    )
    axes.set_xlabel("target")
    axes.grid(alpha=0.3, axis="x")
    axes.legend(**_ABOVE)


def _draw_sizes(axes: Axes, split: DataSplit, order: Rows) -> None:
    rows, height = np.arange(len(order)), 0.8 if len(order) <= MOST_NAMED else 1.0
    train, validation = split.num_train[order], split.num_validation[order]
    axes.barh(rows, train, height, color=COLOURS[0], label="training")
    if validation.any():
        axes.barh(rows, validation, height, left=train, color=COLOURS[5], label="validation")
        axes.legend(**_ABOVE)
    axes.set_title("examples", size=14, loc="left")
    axes.set_xlabel("examples")
    axes.grid(alpha=0.3, axis="x")
