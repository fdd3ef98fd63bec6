"""What a run claims about privacy, read from its files after they were verified."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from fedcli.config import Experiment, installed
from fedcli.core.errors import RunError
from fedcli.experiment.make import make
from fedcli.experiment.protection.privacy_document import private_plan
from fedcli.runs.bound_statement import read_bound_statement
from fedcli.runs.run_directory import open_run
from fedcli.runs.verification import VerificationReport, verify_run
from fedcli.runs.verification.planned_run import Recipe, planned
from fedcli.store import directory
from fedcli.store.files import guarded

_SHOWN = 5


class PrivacyClaim(NamedTuple):
    """A run and what it claims.

    Args:
        folder: name of the run directory.
        experiment: the config.
        environment: environment.json.
        statement: privacy.json; None for a run without noise, which claims nothing.
        encryption: encryption.json; None without encryption.
        noise_on: what the noise is added to, which says whom one has to trust; empty if a custom component decides it.
        learned: names of the preprocessing steps that learn from clients' examples.
        last: the last round with a checkpoint.
        report: what the verification of the run found.
    """

    folder: str
    experiment: Experiment
    environment: Mapping[str, Any]
    statement: Mapping[str, Any] | None
    encryption: Mapping[str, Any] | None
    noise_on: str
    learned: tuple[str, ...]
    last: int
    report: VerificationReport


def read_claim(folder: Path, watch: Callable[[str], None] = lambda _what: None) -> PrivacyClaim:
    """Verify a run, and read what it claims.

    Args:
        folder: the run directory.
        watch: receives what is being verified; proofs take a while.

    Raises:
        ConfigError: if `folder` is not a run directory, or a library that verifies its proofs is not installed.
        RunError: if the files are not those that the run wrote, or there is no checkpoint.
    """
    run = open_run(folder)
    report = verify_run(folder, watch=watch)
    # A document about other files than those of the run would be worse than none.
    if not report.holds or report.last is None:
        shown = [finding.sentence for finding in report.failures[:_SHOWN]]
        more = len(report.failures) - len(shown)
        raise RunError(
            "\n".join(
                [
                    f"{folder} is not what its run wrote, so that nothing can be said about its privacy:",
                    *(f"  {sentence}" for sentence in shown),
                    *([f"  and {more:,} more"] if more else []),
                    f"`fedcli verify {folder}` names all.",
                ]
            )
        )
    experiment, recipe = run.config.experiment, planned(folder)
    return PrivacyClaim(
        folder.resolve().name,
        experiment,
        run.environment,
        read_bound_statement(folder) if guarded.exists(folder / directory.PRIVACY, below=folder) else None,
        directory.read_json_if_there(folder, directory.ENCRYPTION),
        _noise_on(recipe) if isinstance(recipe, Recipe) else "",
        _learned(experiment),
        report.last,
        report,
    )


def _noise_on(recipe: Recipe) -> str:
    if recipe.protocol is None:
        return ""
    plan = private_plan(recipe.protocol, recipe.num_clients)
    event = plan.strategy.privacy_event or (plan.data.event if plan.data else None)
    return event.noise_on if event else ""


def _learned(experiment: Experiment) -> tuple[str, ...]:
    known = installed("data.preprocessing")
    steps = [(part.name, part) for part in experiment.data.preprocessing if part.name in known]
    return tuple(name for name, part in steps if make("data.preprocessing", part).pool)
