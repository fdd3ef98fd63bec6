"""What a sweep shows while it goes on: a table that moves on a terminal, a line for each event in a pipe."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Literal, final

from rich.console import Console, Group, RenderableType
from rich.live import Live as Display
from rich.table import Table
from rich.text import Text

from fedcli.cli.output import escaped, readable

if TYPE_CHECKING:
    from fedcli.runs.summary import Summary
    from fedcli.runs.sweep.children import Standing
    from fedcli.runs.sweep.trials import Trial

_STYLES = {
    "running": "cyan",
    "done": "green",
    "interrupted": "yellow",
    "ruined": "red",
    "failed": "bold red",
    "waiting": "dim",
}
_SECONDS_BETWEEN_READS = 1.0
_LINES_AROUND = 6
"""Lines of a terminal that the table leaves free."""


@final
class SweepView:
    """The view of one command."""

    def __init__(self, folder: Path, *, to_stderr: bool) -> None:
        self.folder = folder
        self.console = Console(stderr=to_stderr, highlight=False)
        self._display: Display | None = None
        self._told: dict[str, Standing] = {}
        self._summaries: dict[str, Summary | None] = {}
        self._next_read = 0.0

    def __enter__(self) -> SweepView:
        if self.console.is_terminal:
            self._display = Display(console=self.console, refresh_per_second=4, transient=True)
            self._display.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._display is not None:
            self._display.stop()

    def watch(self, trials: Sequence[Trial], standings: Mapping[str, Standing]) -> None:
        """Show the standing of all runs."""
        if self._display is None:
            self._print_events(trials, standings)
        elif time.monotonic() >= self._next_read:
            self._next_read = time.monotonic() + _SECONDS_BETWEEN_READS
            self._display.update(self._table(trials, standings))

    def _print_events(self, trials: Sequence[Trial], standings: Mapping[str, Standing]) -> None:
        # The runs that were done before are counted, and not told one by one.
        before = self._told or {name: each for name, each in standings.items() if each != "running"}
        for trial in trials:
            standing = standings[trial.name]
            if standing not in ("waiting", before.get(trial.name)):
                done = sum(each == "done" for each in standings.values())
                self.console.print(f"{done}/{len(trials)} done  {standing:<8}  {trial.name}", soft_wrap=True)
        self._told = dict(standings)

    def _table(self, trials: Sequence[Trial], standings: Mapping[str, Standing]) -> RenderableType:
        counts = Counter(standings.values())
        title = ", ".join(f"{number} {standing}" for standing, number in counts.items())
        table = Table(box=None, header_style="dim", padding=(0, 2, 0, 0), pad_edge=False)
        table.add_column("run", no_wrap=True, overflow="ellipsis")
        # A number that is cut short is another number; a name may lose its end.
        for name, least in (("state", 7), ("rounds", 7), ("metric", 8), ("last", 7)):
            side: Literal["left", "right"] = "right" if name in ("rounds", "last") else "left"
            table.add_column(name, no_wrap=True, justify=side, min_width=least)
        for trial in self._shown(trials, standings):
            standing, summary = standings[trial.name], self._summary(trial, standings[trial.name])
            figures = summary.figures if summary else None
            table.add_row(
                Text(escaped(trial.name)),
                Text(standing, style=_STYLES[standing]),
                f"{summary.rounds}/{summary.planned}" if summary else "",
                figures.column if figures else "",
                readable(figures.last) if figures else "",
            )
        return Group(Text(f"{escaped(str(self.folder))}: {title}", style="bold"), table)

    def _shown(self, trials: Sequence[Trial], standings: Mapping[str, Standing]) -> list[Trial]:
        """As many runs as the terminal has lines: those that run and have failed before those that wait."""
        room = max(4, self.console.height - _LINES_AROUND)
        if len(trials) <= room:
            return list(trials)
        order = ("running", "failed", "interrupted", "ruined", "waiting", "done")
        return sorted(trials, key=lambda trial: order.index(standings[trial.name]))[:room]

    def _summary(self, trial: Trial, standing: Standing) -> Summary | None:
        from fedcli.runs.sweep.children import status_of

        # What is done does not change any more.
        if standing == "running" or (standing == "done" and trial.name not in self._summaries):
            self._summaries[trial.name] = status_of(self.folder, trial).summary
        return self._summaries.get(trial.name)
