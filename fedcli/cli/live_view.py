"""The progress of a run: a live view on a terminal, plain lines in a pipe."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from pathlib import Path
from types import FrameType, TracebackType
from typing import TYPE_CHECKING, final

from rich.console import Console, Group, RenderableType
from rich.live import Live as Display
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from fedcli.cli.output import Facts, escaped, quiet_imports, readable
from fedcli.core.errors import RunInterrupted

if TYPE_CHECKING:
    from fedcli.core.column import Column, Live
    from fedcli.engine.setup import Setup
    from fedcli.runs.lifecycle import Progress

_BARS = "▁▂▃▄▅▆▇█"


@contextmanager
def interruptible() -> Iterator[Callable[[], bool]]:
    """Whether Ctrl-C or SIGTERM has asked the run to stop; a second one ends it at once."""
    wish = threading.Event()

    def note(number: int, frame: FrameType | None) -> None:
        # A second signal means that the person does not want to wait for the clients that are training.
        if wish.is_set():
            signal.default_int_handler(number, frame)
        wish.set()

    # SIGTERM too, which batch systems send some time before they kill a job.
    previous = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield wish.is_set
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


@final
class Screen:
    """The screen of one command: status, live view and summary."""

    def __init__(self, *, to_stderr: bool) -> None:
        self.console = Console(stderr=to_stderr, highlight=False)
        self._live: Display | None = None
        self._view: _View | None = None

    def __enter__(self) -> Screen:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.stop()
        if isinstance(error, RunInterrupted) and self._view is not None:
            # Only the screen knows the run directory and how a person continues the run.
            error.args = (f"Interrupted. Resume with: fedcli run --resume {self._view.folder}",)

    @contextmanager
    def loading(self) -> Iterator[None]:
        """Load TensorFlow, which takes seconds, and say so on a terminal; modules that need it are imported within."""
        status = self.console.status("Loading TensorFlow ...") if self.console.is_terminal else nullcontext()
        with status, quiet_imports():
            yield

    def progress(self, asked_to_stop: Callable[[], bool]) -> Progress:
        """The hooks by which a run reports its progress to this screen."""
        from fedcli.runs.lifecycle import Progress

        def watch(done: int, planned: int) -> None:
            if self._view is not None:
                self._view.clients = (done, planned)
            if asked_to_stop():
                # The engine writes a checkpoint of the last finished round before it passes this on.
                raise RunInterrupted("Interrupted.")

        return Progress(self._begin, watch, self._round_end, self._warn)

    def summary(self, facts: Facts) -> None:
        """Print the results of a run, where it is and what to do next."""
        self.console.print(f"Done: {facts['ending']}.", style="bold", soft_wrap=True)
        columns = self._view.columns if self._view is not None else {}
        shown = [name for name, each in columns.items() if each.in_summary and facts.get(name) is not None]
        width = max(14, *(len(name) for name in shown)) if shown else 14
        for name in shown:
            self.console.print(f"  {name:<{width}} {readable(facts[name])}")
        # These lines are not wrapped, so that path and head can be copied.
        self.console.print(f"  {'run':<{width}} {facts['run']}", soft_wrap=True)
        self.console.print(f"  {'head':<{width}} {facts['head']}", soft_wrap=True)
        self.console.print(f"Evaluate it with: fedcli evaluate {facts['run']}", soft_wrap=True)

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
        self.console.print(self._view.title(), soft_wrap=True)

    def _warn(self, warning: str) -> None:
        # A pipe gets one line per warning; a terminal wraps between words.
        wraps = not self.console.is_terminal
        self.console.print(Text(f"Warning: {escaped(warning)}", style="yellow"), soft_wrap=wraps)

    def _round_end(self, record: Facts) -> None:
        if self._view is None:
            return
        self._view.add(record)
        if self._live is None:
            self.console.print(self._view.line(record), soft_wrap=True)


class _View:
    """The live view of a run; rich renders it several times a second."""

    def __init__(
        self, folder: Path, setup: Setup, records: list[Facts], columns: Mapping[str, Column]
    ) -> None:
        self.folder, self.setup, self.columns = folder, setup, columns
        self.clients = (0, 0)
        self._rounds = setup.experiment.rounds
        # A task may have no metric, but every one has a loss.
        self._metric = f"test/{(*setup.training.task.metrics, 'loss')[0]}"
        self._records = list(records)
        self._first = len(records)
        # The wall clock may be set while a run goes on.
        self._begun = time.monotonic()

    def add(self, record: Facts) -> None:
        self._records.append(record)

    def title(self) -> str:
        experiment, clients = self.setup.experiment, self.setup.num_clients
        resumed = f", resumed after round {self._first}" if self._first else ""
        return (
            f"{experiment.name}: {experiment.strategy.name} over {clients:,} clients, {experiment.model.part.name} "
            f"on {experiment.data.part.name}, {self._rounds} rounds{resumed}"
        )

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

    def __rich__(self) -> RenderableType:
        grid = Table.grid(padding=(0, 2))
        done, planned = len(self._records), self._rounds
        grid.add_row("rounds", ProgressBar(planned, done, width=30), f"{done}/{planned}", self._remaining())
        clients_done, clients = self.clients
        # Before the first cohort is drawn there are 0 clients, of which no share can be shown.
        grid.add_row(
            "clients", ProgressBar(max(clients, 1), clients_done, width=30), f"{clients_done}/{clients}", ""
        )
        # By evaluation.every, not every round is evaluated.
        values = [record[self._metric] for record in self._records if record.get(self._metric) is not None]
        if values:
            grid.add_row(
                self._metric,
                Text(sparkline(values, 30), style="cyan"),
                f"{values[-1]:.4f}",
                self._best(values),
            )
        last = self._records[-1] if self._records else {}
        for column, live in self._live(last):
            if live.row:
                said = _said(column, live, last)
                grid.add_row(column.name, "", said.removeprefix(f"{column.name} "), "")
        return Group(Text(self.title(), style="bold"), grid)

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

    def _remaining(self) -> str:
        # The rounds before a resume took time in another process.
        done = len(self._records) - self._first
        if not done:
            return ""
        left = (time.monotonic() - self._begun) / done * (self._rounds - len(self._records))
        minutes, seconds = divmod(round(left), 60)
        return f"{minutes // 60:d}:{minutes % 60:02d}:{seconds:02d} left"


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
