"""What `import fedcli` calls: the verbs of the command line, with configs and components as Python values."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, TypedDict, Unpack

from fedcli import config
from fedcli.components.callbacks.callback import Callback
from fedcli.components.data import Dataset, Federation
from fedcli.config import Config, Part
from fedcli.core.contracts import Aggregator, Cohort, Strategy
from fedcli.core.tensorflow_log import hide_log
from fedcli.core.types import KerasModel
from fedcli.core.user_code import blamed
from fedcli.engine.records import Row
from fedcli.experiment import make as making
from fedcli.experiment.cost import checked_cost
from fedcli.runs import lifecycle
from fedcli.runs.lifecycle import Progress, Result
from fedcli.runs.live_progress import progress_for
from fedcli.runs.outcome import with_outcome
from fedcli.runs.replaced_aggregator import with_aggregator
from fedcli.runs.run_directory import Run, open_run
from fedcli.runs.run_sources import read_source
from fedcli.runs.trust import trusting, trusts

if TYPE_CHECKING:
    from pandas import DataFrame

# Before TensorFlow is loaded: what it says about processors fills a notebook.
hide_log()

Source: TypeAlias = Config | str | Path | Mapping[str, Any]
"""A config: loaded, a path of a YAML file or a run directory, YAML text of several lines, or nested dictionaries."""


class Objects(TypedDict, total=False):
    """Components as Python objects, each in the place of the one that the config names.

    Args:
        dataset: the data.
        model: `(input_shape, num_outputs)` -> a built Keras model.
        cohort: which clients take part in a round.
        strategy: the whole strategy.
        aggregator: only the aggregator of the strategy that the config names.
        callbacks: in addition to those that the config names.
    """

    dataset: Dataset | Federation
    model: Callable[[tuple[int, ...], int], KerasModel]
    cohort: Cohort
    strategy: Strategy
    aggregator: Aggregator
    callbacks: Sequence[Callback]


class ObjectsAndTrust(Objects, total=False):
    """What opening a run takes besides: whether to use the modules and files that a run of somebody else names."""

    trust_code: bool


@blamed("fedcli.load")
def load(
    source: Source, overrides: Iterable[str] = (), *, trust_code: bool = False, **changed: object
) -> Config:
    """Read a config and check it.

    Args:
        source: a path, YAML text, nested dictionaries, or a config that was loaded before.
        overrides: values that replace those of the config, `key.sub=value` each, as on the command line.
        trust_code: if `source` is a run directory of somebody else, import its modules and open its files.
        changed: the same by keywords, applied after them: `rounds=5`, `client={"epochs": 2}`,
            `strategy={"name": "fedprox", "mu": 0.1}`, or `**{"client.epochs": 2}`. A mapping with a name is a whole
            component, and of another one only the keys that it has are changed. Components may be Python objects; see
            `Objects`.

    Raises:
        ConfigErrors: with every problem of the config, each with its place; `problems` has them.
    """
    objects: dict[str, Any] = {name: value for name, value in changed.items() if _is_object(name, value)}
    written = {name: value for name, value in changed.items() if name not in objects}
    rule = objects.pop("aggregator", None)
    # A single text would otherwise be read as one override per letter.
    texts = (overrides,) if isinstance(overrides, str) else tuple(overrides)
    with trusting(trust_code):
        loaded = _loaded(source, (*texts, *config.changes(written)), objects)
    if rule is None:
        return loaded
    with making.located(loaded):
        return with_aggregator(loaded, rule)


@blamed("fedcli.check")
def check(
    source: Source, overrides: Iterable[str] = (), *, trust_code: bool = False, **changed: object
) -> dict[str, Any]:
    """Build every component of a config, and tell what a round will cost. Nothing is trained or written.

    Args:
        source: as in `load`.
        overrides: as in `load`.
        trust_code: as in `load`.
        changed: as in `load`.

    Returns:
        What `fedcli check --json` prints: parameters, clients, steps and bytes of a round, epsilon, warnings.

    Raises:
        ConfigErrors: with every problem of the config, or the first one of building its components.
    """
    return checked_cost(
        load(source, overrides, trust_code=trust_code, **changed), before_tensorflow=nullcontext
    )


@blamed("fedcli.run")
def run(
    source: Source,
    overrides: Iterable[str] = (),
    *,
    folder: str | Path | None = None,
    progress: Progress | bool | None = None,
    trust_code: bool = False,
    **changed: object,
) -> Run:
    """Run an experiment from its first round.

    Args:
        source: as in `load`.
        overrides: as in `load`.
        folder: the run directory to create; `runs/<name>-<utc time>` by default.
        progress: True for a live view, False for none, a `Progress` for hooks; by default a view in a notebook.
        trust_code: as in `load`.
        changed: as in `load`. The run directory has only the names of Python objects, so that another process can
            resume and evaluate the run only with the same objects.

    Returns:
        The finished run.

    Raises:
        ConfigErrors: before anything is written, if a value cannot be used.
    """
    place = None if folder is None else Path(folder)
    objects = {name: value for name, value in changed.items() if _is_object(name, value)}
    loaded = load(source, overrides, trust_code=trust_code, **changed)
    return _whole(partial(lifecycle.start_run, loaded, place), progress, objects)


@blamed("fedcli.resume")
def resume(
    run: Run | str | Path | int,
    *,
    extend: int = 0,
    from_round: int | None = None,
    executor: str | Mapping[str, Any] | None = None,
    allow_different_environment: bool = False,
    progress: Progress | bool | None = None,
    **objects: Unpack[ObjectsAndTrust],
) -> Run:
    """Continue a run from its last checkpoint; it ends with the same bits as if it had never stopped.

    Args:
        run: as in `open_run`.
        extend: rounds to add to those that the run plans.
        from_round: the round of an earlier checkpoint to go back to; later ones are set aside.
        executor: another executor than that of the config, for this process: a name, or a mapping with one.
        allow_different_environment: go on where the same rounds have other bits.
        progress: as in `run`.
        objects: the same components as Python objects that the run was started with; `trust_code` as in `open_run`.

    Raises:
        ConfigError: if there is no such run, an object is missing or is another one, or the run cannot be extended.
        RunError: if it is damaged, began in another environment, or another process runs it.
    """
    found = open_run(run, **objects)
    changed = [*config.changes({} if executor is None else {"executor": executor})]
    resumed = partial(lifecycle.resume_run, found.folder, changed, extend=extend, objects=found.objects)
    go = partial(resumed, from_round=from_round, allow_different_environment=allow_different_environment)
    with trusting(found.trust_code):
        return _whole(go, progress, found.objects)


@blamed("fedcli.evaluate")
def evaluate(
    run: Run | str | Path | int,
    *,
    round: int | None = None,
    data: Literal["test", "clients"] = "test",
    average: bool = False,
    **objects: Unpack[ObjectsAndTrust],
) -> Row:
    """Evaluate the model of a round.

    Args:
        run: as in `open_run`.
        round: the round; the last one by default.
        data: the central test set, or the validation examples of every client.
        average: the moving average of the models up to the round instead.
        objects: the same components as Python objects that the run was started with; callbacks are not needed.

    Returns:
        The loss and the metrics; for `data="clients"` also one row a client.

    Raises:
        ConfigError: if there is no such run, an object is missing, or the round has no model.
        RunError: if the checkpoint of the round is damaged.
    """
    return open_run(run, **objects).evaluate(round=round, data=data, average=average)


def list_runs(folder: str | Path = "runs") -> DataFrame:
    """The runs in a folder as a table, the newest first; the index is the number by which `open_run` knows them.

    Args:
        folder: of the runs; if it does not exist, it has none.
    """
    from fedcli.runs import run_list
    from fedcli.runs.frames import runs_frame

    return runs_frame(run_list.list_runs(Path(folder)))


def compare(runs: Iterable[Run | str | Path | int], metric: str | None = None) -> DataFrame:
    """Runs side by side as a table; those that differ in the seed only are one line, with their deviation.

    Args:
        runs: each as in `open_run`.
        metric: the column of metrics.jsonl; by default the headline of the first run.

    Returns:
        One line a group: the keys in which the configs differ, `last` and `best` of the metric, what the runs cost, and
        the paired differences to the first group, with their 95 % interval from `low` to `high`.

    Raises:
        ConfigError: if there is no such run, or a run has no finite value of the metric.
    """
    from fedcli.runs import comparison
    from fedcli.runs.frames import comparison_frame

    groups = comparison.grouped(comparison.compared([open_run(run).folder for run in runs], metric))
    keys = {
        key: [group.runs[0].settings.get(key, "") for group in groups]
        for key in comparison.differing([group.runs[0] for group in groups])
        # Within a group the seeds differ.
        if key not in comparison.IDENTITY
    }
    differences = [None, *(comparison.paired(groups[0], group) for group in groups[1:])]
    return comparison_frame(groups, keys, differences)


def make(section: str, name: str, *supplied: Any, **parameters: Any) -> Any:
    """A component by its name, as a config would make it.

    Args:
        section: the key of the config: `strategy`, `strategy.client`, `strategy.aggregator`, `cohort`, ...
        name: a name that `fedcli list` shows, or `package.module:factory`.
        supplied: what the factory receives before its parameters, such as the seed of a dataset.
        parameters: as in the config.

    Raises:
        ConfigError: if there is no such component, or a parameter is out of range.
    """
    return making.make(section, Part(name, parameters), *supplied)


def _whole(go: Callable[..., Result], progress: Progress | bool | None, objects: config.Objects) -> Run:
    result, warning = with_outcome(go, progress_for(progress))
    if warning:
        warnings.warn(warning, stacklevel=3)
    return Run(result.folder, objects, trust_code=trusts())


def _is_object(name: str, value: object) -> bool:
    """Whether a keyword gives a component as a Python object, and not as a config would write it."""
    if name not in Objects.__annotations__ or value is None or isinstance(value, str | Mapping):
        return False
    # A list of names of callbacks is what a config has; a Callback is a tuple too.
    if isinstance(value, list | tuple) and value:
        return not all(isinstance(each, str | Mapping) for each in value)
    return True


def _loaded(source: Source, overrides: Iterable[config.Override], objects: config.Objects) -> Config:
    if isinstance(source, Config):
        return config.given(source, overrides, objects=objects)
    if isinstance(source, Mapping):
        return config.from_mapping(source, overrides, objects=objects)
    # No path has a line break, and no config that is complete is shorter than that.
    if isinstance(source, str) and "\n" in source:
        return config.loads(source, overrides=overrides, objects=objects)
    path = Path(source)
    if path.is_dir():
        return config.given(read_source(path, overrides=list(overrides)), objects=objects)
    return config.load(path, overrides, objects=objects)
