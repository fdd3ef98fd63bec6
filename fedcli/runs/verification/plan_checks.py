"""Checks that `fedcli run` would run the config of a run, and says what custom components leave unchecked."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from fedcli.core.errors import ConfigError
from fedcli.experiment.compatibility import model_statistics
from fedcli.experiment.protection.fixed_point import check_size
from fedcli.runs.verification.chain_links import Link
from fedcli.runs.verification.models import Model, Unreadable, read_model
from fedcli.runs.verification.planned_run import WHAT, Recipe
from fedcli.runs.verification.report import NEXT, SAYS, Finding, skipped
from fedcli.store import checkpoints, directory

_MODELS = "that the models follow from what clients sent"


def checked_plan(run: Path, recipe: Recipe, intact: Sequence[Link], *, is_kept: bool) -> Iterator[Finding]:
    """Check a config as `run` does before training, with the sizes of the model in the first whole checkpoint.

    Args:
        run: the run directory.
        recipe: the run as it was planned.
        intact: the checkpoints whose files are as they were written.
        is_kept: whether the run keeps files of proofs.
    """
    yield from _refused(recipe)
    yield from _of_population(recipe)
    yield from _of_model(run, recipe, intact)
    yield from _custom(recipe)
    if recipe.experiment.proofs is None:
        only = ", and only their files were checked" if is_kept else ""
        yield skipped(NEXT, directory.CONFIG, _MODELS, f"{directory.CONFIG} plans no proofs{only}")


def _refused(recipe: Recipe) -> Iterator[Finding]:
    if recipe.refusal:
        sentence = f"{directory.CONFIG} is refused by `fedcli run` of this version: {recipe.refusal}"
        yield _broken(directory.CONFIG, sentence)
    elif recipe.missing:
        yield skipped(
            WHAT, directory.CONFIG, "that `fedcli run` accepts the config", recipe.missing.removesuffix(".")
        )
    elif not recipe.custom_protocol:
        yield Finding(WHAT, None, directory.CONFIG)


def _of_population(recipe: Recipe) -> Iterator[Finding]:
    data = recipe.experiment.data
    is_custom = recipe.names_custom("data.partition")
    # A partition that takes no number of clients leaves the data among those that the dataset itself makes.
    is_dealt = data.partition is not None and ("clients" in data.partition.parameters or is_custom)
    dealing = data.partition if data.partition is not None and is_dealt else data.part
    dealt = dealing.parameters.get("clients")
    is_known = type(dealt) is int and not recipe.names_custom("data.partition" if is_dealt else "data")
    if not is_known and recipe.is_private and recipe.experiment.proofs is None:
        why = f"{directory.CONFIG} leaves it to the data, which are not loaded"
        yield skipped(WHAT, directory.ENVIRONMENT, "the number of clients, on which epsilon rests", why)
    elif is_known and dealt != recipe.num_clients:
        sentence = (
            f"{directory.ENVIRONMENT} says that there are {recipe.num_clients} clients; "
            f"{directory.CONFIG} distributes data among {dealt}."
        )
        yield _broken(directory.ENVIRONMENT, sentence)


def _of_model(run: Path, recipe: Recipe, intact: Sequence[Link]) -> Iterator[Finding]:
    """Check what `run` refuses only once the model is built: sizes, and weights that training does not touch."""
    if recipe.strategy is None or not intact:
        return
    try:
        model = read_model(intact[0])
    except Unreadable as error:
        yield _broken(
            file := (intact[0].folder / error.file).relative_to(run).as_posix(), f"{file} {error.reason}."
        )
        return
    file = (intact[0].folder / checkpoints.WEIGHTS).relative_to(run).as_posix()
    try:
        _refuse_model(recipe, model)
    except ConfigError as error:
        yield _broken(file, f"{file} has a model that `fedcli run` refuses with this config: {error.message}")
        return
    yield Finding(WHAT, None, file)


def _refuse_model(recipe: Recipe, model: Model) -> None:
    experiment, strategy = recipe.experiment, recipe.strategy
    if strategy is None:
        return
    check_size(experiment.fixed_point, num_parameters=model.weights.size)
    model_statistics.check(strategy, experiment, num_statistics=model.vectors["statistics"].size)
    whole = strategy if recipe.protocol is None else recipe.protocol.strategy
    for part, size in whole.sized_transforms(model.weights.size):
        # Transforms on integers have limits on the size, and their `init` allocates nothing large.
        if part.takes == "integers":
            part.init(size)


def _custom(recipe: Recipe) -> Iterator[Finding]:
    """Say what was not checked because of components that are not fedcli's own, which are never imported."""
    named = set()

    def left_out(what: str, names: list[str], unchecked: str) -> Iterator[Finding]:
        named.update(names)
        if names:
            why = f"{directory.CONFIG} names a custom component, which is not imported ({', '.join(names)})"
            yield skipped(what, directory.CONFIG, unchecked, why)

    if recipe.experiment.proofs is not None:
        yield from left_out(NEXT, recipe.custom_server, _MODELS)
        if recipe.strategy is not None and recipe.strategy.privacy_event is not None:
            yield from left_out(SAYS, recipe.names_custom("cohort"), "divisor and share of private rounds")
    yield from left_out(WHAT, recipe.custom_protocol, "that `fedcli run` accepts the config")
    rest = [f"{key}: {name}" for key, name in recipe.custom.items()]
    yield from left_out(
        WHAT,
        [each for each in rest if each not in named],
        "whether custom components accept their parameters",
    )


def _broken(file: str, sentence: str) -> Finding:
    return Finding(WHAT, None, file, holds=False, sentence=sentence)
