"""A run directory as an object: its config, records and models, read without TensorFlow and without its components."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from fedcli import config
from fedcli.core.errors import ConfigError
from fedcli.core.types import Array
from fedcli.engine.records import Row
from fedcli.runs.verification.planned_run import planned_retention
from fedcli.store import checkpoints, directory
from fedcli.store.files import guarded, manifests


@dataclass(frozen=True)
class Run:
    """What is in a run directory. Every attribute is read from the files when it is asked for.

    Args:
        folder: the run directory.
    """

    folder: Path

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
        return directory.read_records(self.folder)

    @property
    def clients(self) -> list[Row]:
        """The records of clients.jsonl, one a client and round."""
        return directory.read_records(self.folder, directory.CLIENTS)

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
        if not guarded.exists(self.folder / directory.PRIVACY, below=self.folder):
            return None
        return directory.read_json(self.folder, directory.PRIVACY)

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


def open_run(folder: str | Path) -> Run:
    """A run directory as an object.

    Raises:
        ConfigError: if `folder` is not a run directory.
    """
    directory.read_config(Path(folder))
    return Run(Path(folder))


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
