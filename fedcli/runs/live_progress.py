"""The progress of a run that Python started: a view in a notebook, or a line a round in a terminal.

The command line has a view of its own (`cli/live_view.py`). It draws a terminal, of which a notebook has none; this one
gives the notebook HTML.
"""

from __future__ import annotations

import html
import importlib
import sys
import time
from pathlib import Path
from typing import Any, Literal, Protocol, TypeAlias, final

from fedcli.engine.records import Row
from fedcli.engine.setup import Setup
from fedcli.runs.headline import Headline, headline
from fedcli.runs.lifecycle import Progress
from fedcli.runs.remaining_time import RemainingTime, in_words

Event: TypeAlias = Literal["begin", "client", "round"]
"""What has happened: the run has begun, a client is done, a round has ended."""

_SECONDS_BETWEEN = 0.25
"""Time between two updates within a round: a notebook keeps what it shows, and many clients are fast."""


def progress_for(asked: Progress | bool | None) -> Progress:
    """The progress that a caller of Python means.

    Args:
        asked: hooks of the caller's own; True for the view; False for none; None for the view in a notebook, and none
            elsewhere, because a script may print what others read.
    """
    if isinstance(asked, Progress):
        return asked
    in_notebook = _is_notebook()
    if asked is False or (asked is None and not in_notebook):
        return Progress()
    view = _View(_InNotebook() if in_notebook else _Lines())
    return Progress(view.begin, view.watch, view.round_end)


class _Screen(Protocol):
    """Where a view is shown."""

    def show(self, view: _View, *, event: Event) -> None:
        """Show a view as it is now."""
        ...


@final
class _View:
    """What there is to see of a run."""

    def __init__(self, screen: _Screen) -> None:
        self._screen = screen
        self.title, self.folder, self.planned = "", "", 1
        self.records: list[Row] = []
        self.clients = (0, 0)
        self._left = RemainingTime([])
        self._updated = 0.0

    def begin(self, folder: Path, setup: Setup, records: list[Row]) -> None:
        """Note what is run."""
        experiment = setup.experiment
        self.title = (
            f"{experiment.name}: {experiment.strategy.name} over {setup.num_clients:,} clients, "
            f"{experiment.model.part.name} on {experiment.data.part.name}"
        )
        self.folder, self.planned, self.records = str(folder), experiment.rounds, list(records)
        self._left = RemainingTime(records)
        self._screen.show(self, event="begin")

    def watch(self, done: int, planned: int) -> None:
        """Note how many clients of a round are done."""
        self.clients = (done, planned)
        self._left.client_end(done, planned)
        if time.monotonic() - self._updated > _SECONDS_BETWEEN:
            self._updated = time.monotonic()
            self._screen.show(self, event="client")

    def round_end(self, record: Row) -> None:
        """Note the record of a round."""
        self.records.append(record)
        self._left.round_end()
        self._screen.show(self, event="round")

    def figures(self) -> Headline | None:
        """The best and the last value of the headline, so far."""
        return headline(self.records)

    def left(self) -> str:
        """The time to the end of the run, in words; empty if nobody knows it."""
        return in_words(self._left.of_run(self.planned - len(self.records)))


@final
class _Lines:
    """A line a round on stdout."""

    def show(self, view: _View, *, event: Event) -> None:
        """Print the title, or the round that has ended."""
        if event == "begin":
            print(f"{view.title}, in {view.folder}", flush=True)
        elif event == "round":
            print("  ".join([f"round {view.records[-1]['round']}/{view.planned}", *_said(view)]), flush=True)


@final
class _InNotebook:
    """A piece of HTML below the cell, which is changed in place."""

    def __init__(self) -> None:
        self._handle: Any = None

    def show(self, view: _View, *, event: Event) -> None:  # noqa: ARG002 - all are shown in the same way
        """Show the bars, the last figures, and the time that is left."""
        ipython: Any = importlib.import_module("IPython.display")
        shown = ipython.HTML(notebook_html(view))
        if self._handle is None:
            self._handle = ipython.display(shown, display_id=True)
        else:
            self._handle.update(shown)


def notebook_html(view: _View) -> str:
    """A view in HTML; the names of a config are whatever its author wrote."""
    done, (clients_done, clients) = len(view.records), view.clients
    texts = [f"{done}/{view.planned} rounds", *_said(view), *filter(None, [view.left()])]
    return (
        f"<div><b>{html.escape(view.title)}</b><br>"
        f'<progress max="{max(view.planned, 1)}" value="{done}"></progress> {html.escape("  ".join(texts))}<br>'
        f'<progress max="{max(clients, 1)}" value="{clients_done}"></progress> {clients_done}/{clients} clients of the '
        f"round<br><small>{html.escape(view.folder)}</small></div>"
    )


def _said(view: _View) -> list[str]:
    """The headline so far, and what the round has spent of privacy."""
    said, figures = [], view.figures()
    if figures is not None:
        said.append(f"{figures.column} {figures.last:.4g} (best {figures.best:.4g})")
    if view.records and isinstance(view.records[-1].get("epsilon"), float):
        said.append(f"epsilon {view.records[-1]['epsilon']:.4g}")
    return said


def _is_notebook() -> bool:
    # Whoever runs in a notebook has loaded IPython; it is not loaded to find out.
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return hasattr(shell, "kernel")
