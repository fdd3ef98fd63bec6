"""A run directory as an object: what is in it, read without TensorFlow, and what one does with it.

What needs TensorFlow, pandas or matplotlib is imported by the method that needs it.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from fedcli import config
from fedcli.core.errors import ConfigError
from fedcli.core.types import Array, KerasModel
from fedcli.core.user_code import blamed
from fedcli.engine.records import Row
from fedcli.runs.kept_checkpoints import planned_retention
from fedcli.runs.trust import trusting
from fedcli.store import checkpoints, directory
from fedcli.store.files import manifests

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from pandas import DataFrame

    from fedcli.runs.course_axis import Axis
    from fedcli.runs.lifecycle import Progress
    from fedcli.runs.round_choice import Choice


@dataclass(frozen=True, repr=False)
class Run:
    """A run: one that was just finished, resumed or opened. Everything is read from its files when it is asked for.

    Args:
        folder: the run directory.
        objects: the components that the run was started with as Python objects, by their arguments of `run`; the
            directory has only their names.
        trust_code: whether the modules and files that it names may be used if it is not the user's own.
    """

    folder: Path
    objects: config.Objects = field(default_factory=dict, compare=False)
    trust_code: bool = field(default=False, compare=False)

    def __repr__(self) -> str:
        from fedcli.runs.run_card import run_card

        return run_card(self.folder).in_a_line()

    def _repr_html_(self) -> str:
        from fedcli.runs.run_card import run_card

        return run_card(self.folder).in_html()

    @property
    def config(self) -> config.Config:
        """The config of the run, complete with defaults. No custom component is imported.

        Raises:
            ConfigErrors: if another version of fedcli wrote it, and this one cannot use it.
        """
        # A run directory may come from anyone, and an import would run its code.
        text = directory.config_text(self.folder)
        return config.loads(text, str(self.folder / directory.CONFIG), imports=False)

    @property
    def environment(self) -> Row:
        """environment.json: the versions of the packages, the machine, the number of clients.

        Raises:
            RunError: if the file is missing or damaged.
        """
        return directory.read_json(self.folder, directory.ENVIRONMENT)

    @property
    def records(self) -> list[Row]:
        """The records of metrics.jsonl, one a round."""
        return directory.read_rounds(self.folder)

    @property
    def ending(self) -> str | None:
        """Why the run ended; None if it was interrupted or goes on."""
        from fedcli.runs.summary import read_summary

        summary = read_summary(self.folder)
        return summary.ending if summary else None

    def metrics(self) -> DataFrame:
        """The records as a table, one line a round; the index is the round."""
        from fedcli.runs.frames import records_frame

        return records_frame(self.folder, directory.METRICS)

    def clients(self) -> DataFrame:
        """The records of clients.jsonl as a table, one line a client and round; the index is the round."""
        from fedcli.runs.frames import records_frame

        return records_frame(self.folder, directory.CLIENTS)

    @property
    def rounds(self) -> list[int]:
        """The rounds that have a checkpoint, ascending; round 0 is the model before the first round."""
        return directory.finished_rounds(self.folder)

    @property
    def privacy(self) -> Row | None:
        """The privacy statement in privacy.json; None for a run without noise.

        Raises:
            RunError: if the file is damaged.
        """
        return directory.read_json_if_there(self.folder, directory.PRIVACY)

    @property
    def head(self) -> str | None:
        """SHA-256 of the last checkpoint's manifest, the head of the chain; None before the first checkpoint."""
        rounds = self.rounds
        return manifests.digest(directory.checkpoint_folder(self.folder, rounds[-1])) if rounds else None

    def weights(self, round: int | None = None, *, average: bool = False) -> dict[str, Array]:
        """The weights of the model after a round, by their Keras names.

        Args:
            round: the round; None for the last one that has a checkpoint.
            average: the moving average of the models up to the round instead.

        Raises:
            ConfigError: if the round has no checkpoint, a pruned one, or no average.
            RunError: if its files are not those that the run wrote.
        """
        checkpoint = directory.whole_checkpoint(self.folder, round, planned_retention(self.folder))
        # Weights that somebody changed would otherwise be used without anybody noticing.
        manifest = checkpoints.read_manifest(checkpoint)
        name = checkpoints.AVERAGE if average else checkpoints.WEIGHTS
        if name not in manifest.files:
            raise ConfigError(
                f"the checkpoint of round {manifest.facts['round']} has no average of the model.",
                hint="Name a later round of a run with `average: {decay: 0.99}` in its config.",
            )
        return checkpoints.read_arrays(checkpoint, manifest, name)

    def model(
        self, round: Choice = "last", *, client: int | None = None, average: bool = False
    ) -> KerasModel:
        """The Keras model of a round, with its weights. It takes preprocessed examples, as model.json says.

        Args:
            round: its number, `last`, or `best` by the headline of the run.
            client: whose own model, of a strategy with personal models or layers; None for the global one.
            average: the moving average of the models up to the round instead.

        Raises:
            ConfigError: if the round or the client has no model, or an object that the run was started with is missing.
            RunError: if a file is not the one that the run wrote.
        """
        from fedcli.runs.keras_model import keras_model

        with trusting(self.trust_code):
            return keras_model(self.folder, round, client=client, average=average, objects=self.objects)

    def predict(
        self,
        rows: str | Path | Array,
        round: Choice = "last",
        *,
        client: int | None = None,
        average: bool = False,
    ) -> DataFrame:
        """Predictions for new rows, preprocessed as the run's test set was; one line a row.

        Args:
            rows: raw rows: a csv, whose columns are matched by name; an .npz with an array x; a folder of images; or an
                array [N, ...].
            round: as in `model`.
            client: as in `model`.
            average: as in `model`.

        Raises:
            ConfigError: if there is no such model, or the rows lack what it needs.
            RunError: if a file is not the one that the run wrote.
        """
        from pandas import DataFrame

        from fedcli.runs.prediction import predict_rows

        source = Path(rows) if isinstance(rows, str) else rows
        with trusting(self.trust_code):
            made = predict_rows(
                self.folder, source, round=round, client=client, average=average, objects=self.objects
            )
        for note in made.notes:
            warnings.warn(note, stacklevel=2)
        table = DataFrame(made.rows)
        return table.set_index(table.columns[0])

    def plot(
        self, *others: Run, metric: str | None = None, x: Axis = "rounds", clients: bool = False
    ) -> Figure:
        """The course of a metric as a figure of matplotlib, which a notebook shows.

        Args:
            others: further runs; those that differ in the seed only are one curve, with their deviation as a band.
            metric: the column of metrics.jsonl; by default the headline of this run.
            x: what it is drawn over: `rounds`, `seconds` (simulated), `bytes` or `epsilon`.
            clients: the median client and the clients' deciles instead, where they were evaluated.

        Raises:
            ConfigError: if a run has no finite value of the metric, or not what it is drawn over.
        """
        from fedcli.runs.comparison import compared, grouped
        from fedcli.runs.course import course_of
        from fedcli.runs.course_axis import AXES
        from fedcli.runs.course_picture import course_figure

        found = compared([run.folder for run in (self, *others)], metric)
        column = found[0].figures.column
        courses = [course_of(group, column, x, clients=clients) for group in grouped(found)]
        return course_figure(courses, column, AXES[x])

    def report(self, *others: Run, output: str | Path = "report.html", metric: str | None = None) -> Path:
        """Write a report of this run and of others: one HTML file that needs no network.

        Args:
            others: further runs; those that differ in the seed only are one group.
            output: the file.
            metric: the column of metrics.jsonl by which runs are judged; by default the headline of this run.

        Returns:
            The path of the file.

        Raises:
            ConfigError: if a run has no finite value of the metric.
        """
        from fedcli.runs.report import report_page

        target = Path(output)
        target.write_text(report_page([run.folder for run in (self, *others)], metric), encoding="utf-8")
        return target

    @blamed("Run.evaluate")
    def evaluate(
        self,
        *,
        round: int | None = None,
        data: Literal["test", "clients"] = "test",
        average: bool = False,
    ) -> Row:
        """Evaluate the model of a round; the same as `fedcli.evaluate` of this run."""
        from fedcli.runs.lifecycle import evaluate_run

        with trusting(self.trust_code):
            return evaluate_run(self.folder, round=round, data=data, average=average, objects=self.objects)

    def resume(self, *, extend: int = 0, progress: Progress | bool | None = None) -> Run:
        """Continue from the last checkpoint; the same as `fedcli.resume` of this run."""
        from fedcli.runs.from_python import resume

        return resume(self, extend=extend, progress=progress)


def open_run(run: Run | str | Path | int, *, trust_code: bool = False, **objects: object) -> Run:
    """A run as an object.

    Args:
        run: its directory; or as the command line names it: its number in `runs/`, 1 for the newest, its short name,
            `last`, or `last:NAME`.
        trust_code: import the modules and open the files that it names also if it is not a run of your own.
        objects: the components that the run was started with as Python objects, by their arguments of `run`.

    Raises:
        ConfigError: if there is no such run.
    """
    if isinstance(run, Run):
        return Run(run.folder, {**run.objects, **objects}, run.trust_code or trust_code)
    folder = run
    if not isinstance(folder, Path):
        from fedcli.runs.addresses import find_run

        folder = find_run(str(folder))
    directory.read_config(folder)
    return Run(folder, objects, trust_code)


def read_statement(folder: Path) -> Row:
    """The privacy statement in the privacy.json of a run directory.

    Raises:
        ConfigError: if there is none, with the reason.
        RunError: if the file is damaged.
    """
    statement = open_run(folder).privacy
    if statement is None:
        raise ConfigError(
            f"{folder} has no privacy.json: its strategy adds no noise, or no round has finished.",
            hint="Figures and models of such a run are published without noise.",
        )
    return statement
