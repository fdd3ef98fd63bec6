"""The progress of a run: a live view on a terminal, plain lines in a pipe."""

from __future__ import annotations

import shlex
import warnings
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, final

from rich.console import Console, ConsoleOptions, RenderResult
from rich.live import Live as Display
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from fedcli.cli.output import Facts, escaped, print_message, quiet_imports, readable
from fedcli.core.counting import counted
from fedcli.core.errors import (
    ComponentError,
    DiskError,
    RuinedModelError,
    RunInterrupted,
    RunWarning,
)
from fedcli.runs.environment import where_trained
from fedcli.runs.remaining_time import RemainingTime, in_words
from fedcli.store.directory import finished_rounds

if TYPE_CHECKING:
    from fedcli.core.column import Column, Live
    from fedcli.engine.setup import Setup
    from fedcli.runs.lifecycle import Progress

_BARS = "▁▂▃▄▅▆▇█"


@final
class Screen:
    """The screen of one command: status, live view and summary."""

    def __init__(self, *, to_stderr: bool) -> None:
        self.console = Console(stderr=to_stderr, highlight=False)
        self._live: Display | None = None
        self._view: _View | None = None

    def __enter__(self) -> Screen:
        self._others = warnings.showwarning
        warnings.showwarning = self._show_warning
        return self

    def _show_warning(
        self, message: Warning | str, category: type[Warning], *place: Any, **more: Any
    ) -> None:
        if issubclass(category, RunWarning):
            self._warn(str(message))
        else:
            self._others(message, category, *place, **more)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        warnings.showwarning = self._others
        if self._live is not None:
            self._live.stop()
        if self._view is None or error is None:
            return
        # Only the screen knows the run directory and how a person continues the run.
        place, go_on = f"The run is in {self._view.folder}.", resuming(self._view.folder)
        if isinstance(error, RunInterrupted):
            error.args = (f"Interrupted. Resume with: {go_on}",)
        elif isinstance(error, KeyboardInterrupt):
            print_message(f"Interrupted. Resume with: {go_on}")
        elif isinstance(error, ComponentError):
            error.args = (f"{error}\n{place} Mend the component, then go on with: {go_on}",)
        elif isinstance(error, RuinedModelError):
            error.args = (
                f"{error}\n{self._view.last_round()} {place} With another config, begin a new run; if a component is "
                f"at fault, mend it and go on with: {go_on}",
            )
        elif isinstance(error, DiskError):
            error.args = (f"{error}\n{self._view.last_round()} Make room or restore access, then: {go_on}",)

    def load_tensorflow(self) -> None:
        """Load TensorFlow, which takes seconds, and say so on a terminal."""
        status = self.console.status("Loading TensorFlow ...") if self.console.is_terminal else nullcontext()
        with status, quiet_imports():
            pass

    def progress(self, asked_to_stop: Callable[[], bool]) -> Progress:
        """The hooks by which a run reports its progress to this screen."""
        from fedcli.runs.lifecycle import Progress

        def watch(done: int, planned: int) -> None:
            if self._view is not None:
                self._view.client_end(done, planned)
            if asked_to_stop():
                # The engine writes a checkpoint of the last finished round before it passes this on.
                raise RunInterrupted("Interrupted.")

        return Progress(self._begin, watch, self._round_end, self._warn, self.load_tensorflow)

    def waits_for(self) -> str:
        """What a run that was asked to stop waits for; the live view shows it itself."""
        if self._view is None:
            return ""
        said = self._view.ask_to_stop()
        return said if self._live is None else ""

    def summary(self, facts: Facts) -> None:
        """Print the results of a run, where it is and what to do next."""
        self._say(f"Done: {facts['ending']}.", style="bold")
        columns = self._view.columns if self._view is not None else {}
        shown = [name for name, each in columns.items() if each.in_summary and facts.get(name) is not None]
        width = max(14, *(len(name) for name in shown)) if shown else 14
        for name in shown:
            self._say(f"  {name:<{width}} {readable(facts[name])}")
        best, last = (facts.get(f"{name}_checkpoint") for name in ("best", "last"))
        if last is not None:
            said = f"round {last}" if best in (None, last) else f"best of round {best}, last of round {last}"
            said = f"{said}, which is the best" if best == last else said
            self._say(f"  {'checkpoints':<{width}} {said}")
        for name in ("run", "head"):
            self._say(f"  {name:<{width}} {facts[name]}")
        self._say(f"Next: {following(facts['run'])}")

    def _begin(self, folder: Path, setup: Setup, records: list[Facts]) -> None:
        from fedcli.engine.run_columns import columns_of
        from fedcli.experiment.plan import warnings_of

        self._view = _View(folder, setup, records, columns_of(setup))

        for warning in warnings_of(setup):
            self._warn(warning)
        if self.console.is_terminal:
            # Not transient: its last state stays on the screen above the summary.
            self._live = Display(self._view, console=self.console, refresh_per_second=8, transient=False)
            self._live.start()
            return
        self._say(self._view.title())
        self._say(self._view.place())

    def _warn(self, warning: str) -> None:
        # A pipe gets one line per warning; a terminal wraps between words.
        wraps = not self.console.is_terminal
        self.console.print(Text(f"Warning: {escaped(warning)}", style="yellow"), soft_wrap=wraps)

    def _round_end(self, record: Facts) -> None:
        if self._view is None:
            return
        self._view.add(record)
        if self._live is None:
            self._say(self._view.line(record))

    def _say(self, line: str, style: str = "") -> None:
        # A Text, because rich would take square brackets for markup, and not wrapped, so that paths can be copied.
        self.console.print(Text(escaped(line), style=style), soft_wrap=True)


def resuming(folder: Path | str) -> str:
    """The command that continues a run, as a shell takes it."""
    return f"fedcli run --resume {shlex.quote(str(folder))}"


def following(folder: Path | str) -> str:
    """The command to look at a finished run with."""
    return f"fedcli report {shlex.quote(str(folder))}"


class _View:
    """The live view of a run; rich renders it several times a second."""

    def __init__(
        self, folder: Path, setup: Setup, records: list[Facts], columns: Mapping[str, Column]
    ) -> None:
        self.folder, self.setup, self.columns = folder, setup, columns
        self._clients = (0, 0)
        self._rounds = setup.experiment.rounds
        # A task may have no metric, but every one has a loss.
        self._metric = f"test/{(*setup.training.task.metrics, 'loss')[0]}"
        self._records = list(records)
        self._first = len(records)
        self._left = RemainingTime(records)
        self._asked, self._where = "", where_trained(folder, setup.experiment)

    def last_round(self) -> str:
        """Which round is safe, whatever happens to those after it."""
        durable = finished_rounds(self.folder)
        return f"The last checkpoint is of round {durable[-1]}." if durable else "No checkpoint is written."

    def client_end(self, done: int, planned: int) -> None:
        self._clients = (done, planned)
        self._left.client_end(done, planned)

    def ask_to_stop(self) -> str:
        """Say from now on what a run that was asked to stop waits for."""
        (done, planned), round = self._clients, len(self._records) + 1
        self._asked = (
            f"Stopping: waiting for the clients that are training ({done} of {planned} of round {round} are done). "
            "A second time ends at once; either way, the round is repeated when the run is resumed."
        )
        return self._asked

    def add(self, record: Facts) -> None:
        self._records.append(record)
        self._left.round_end()

    def title(self) -> str:
        experiment, clients = self.setup.experiment, self.setup.num_clients
        resumed = f", resumed after round {self._first}" if self._first else ""
        return (
            f"{experiment.name}: {experiment.strategy.name} over {clients:,} clients, {experiment.model.part.name} "
            f"on {experiment.data.part.name}, {counted(self._rounds, 'round')}{self._where}{resumed}"
        )

    def place(self) -> str:
        return f"in {self.folder}"

    def line(self, record: Facts) -> str:
        """One finished round as a line for a pipe or a log file."""
        phrases = [f"round {record['round']}/{self._rounds}"]
        asides: list[str] = []
        for column, live in self._live(record):
            if live.place == "brackets":
                # Zeros are left out: in most rounds nothing is rejected or absent.
                asides += [_said(column, live, record)] if record[column.name] else []
                continue
            phrases[-1] += _bracketed(asides)
            asides = []
            if live.place == "comma" and len(phrases) > 1:
                phrases[-1] += f", {_said(column, live, record)}"
            else:
                phrases.append(_said(column, live, record))
        return "  ".join([*phrases[:-1], phrases[-1] + _bracketed(asides)])

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        # Beside the bars are names, counts and times.
        width = max(8, min(30, options.max_width - 48))
        grid = Table.grid(padding=(0, 2))
        for _ in range(4):
            grid.add_column(no_wrap=True)
        done, planned = len(self._records), self._rounds
        left = in_words(self._left.of_run(planned - done))
        grid.add_row("rounds", ProgressBar(planned, done, width=width), f"{done}/{planned}", left)
        clients_done, clients = self._clients
        # Before the first cohort is drawn there are 0 clients, of which no share can be shown.
        bar = ProgressBar(max(clients, 1), clients_done, width=width)
        grid.add_row("clients", bar, f"{clients_done}/{clients}", in_words(self._left.of_round()))
        # By evaluation.every, not every round is evaluated.
        values = [record[self._metric] for record in self._records if record.get(self._metric) is not None]
        if values:
            grid.add_row(
                Text(self._metric),
                Text(sparkline(values, width), style="cyan"),
                f"{values[-1]:.4f}",
                self._best(values),
            )
        last = self._records[-1] if self._records else {}
        for column, live in self._live(last):
            if live.row:
                said = _said(column, live, last)
                grid.add_row(Text(column.name), "", Text(said.removeprefix(f"{column.name} ")), "")
        # Everything that comes from the config is escaped, and a Text, in which brackets are no markup.
        yield Text(escaped(self.title()), style="bold")
        yield Text(escaped(self.place()), style="dim")
        yield grid
        if self._asked:
            yield Text(self._asked, style="yellow")

    def _live(self, record: Facts) -> list[tuple[Column, Live]]:
        """The columns that are shown for a round, and how each of them is shown."""
        return [
            (column, column.live)
            for name, column in self.columns.items()
            if column.live is not None and record.get(name) is not None
        ]

    def _best(self, values: list[float]) -> str:
        best = min(values) if self.columns[self._metric].better == "down" else max(values)
        return f"best {best:.4f}"


def _said(column: Column, live: Live, record: Facts) -> str:
    value = record[column.name]
    return live.text.format(name=column.name, value=value, readable=readable(value), record=record)


def _bracketed(asides: list[str]) -> str:
    return f" ({', '.join(asides)})" if asides else ""


def sparkline(values: list[float], width: int) -> str:
    """`values` as at most `width` characters; each shows the last of the values that it covers."""
    count = min(width, len(values))
    picked = [values[(i + 1) * len(values) // count - 1] for i in range(count)]
    low, high = min(picked), max(picked)
    scale = (len(_BARS) - 1) / (high - low) if high > low else 0.0
    return "".join(_BARS[round((value - low) * scale)] for value in picked)
