"""The files of the user that a run needs beside its directory: its data, and the modules of its custom components.

A config names them relative to the folder in which the run began. environment.json has where they were, so that the run
is evaluated, resumed and used from any folder. This is the one place that makes the code of a run importable.
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

from fedcli import config
from fedcli.core.errors import ConfigError
from fedcli.runs.environment import read_environment
from fedcli.runs.trust import is_own, mark_of, needs, require_trust, trusts
from fedcli.store import checkpoints, directory

_KEY = "sources"
_PATH = "path"


class RunSources(NamedTuple):
    """Where the files were when the run began, as absolute paths.

    Args:
        data: the parameter `path` of the dataset; None if it has none.
        modules: the file of each package or module that has a custom component, by its first name.
    """

    data: str | None
    modules: Mapping[str, str]


def sources_of(experiment: config.Experiment, text: str, run: str) -> dict[str, Any]:
    """What environment.json says of the files of an experiment whose components were imported.

    Args:
        experiment: the experiment.
        text: the run's config.yaml.
        run: the run's random name.
    """
    given = experiment.data.part.parameters.get(_PATH)
    data = str(Path(given).expanduser().absolute()) if isinstance(given, str) else None
    names = {name.partition(":")[0].partition(".")[0] for _, name in config.custom_components(experiment)}
    files = {name: getattr(sys.modules.get(name), "__file__", None) for name in sorted(names)}
    said = RunSources(data, {name: str(file) for name, file in files.items() if file})._asdict()
    # A run of built-in components on data that fedcli knows needs no mark, and makes no key.
    return {_KEY: said, **({"mark": mark_of(run, text, said)} if any(needs(experiment)) else {})}


def read_source(
    folder: Path,
    objects: config.Objects = config.NO_OBJECTS,
    *,
    overrides: Sequence[config.Override] = (),
    goes_on: bool = False,
) -> config.Config:
    """The config of a run, whose custom components are imported from where they were when it began.

    A path of its data that is relative becomes the one at which the data were.

    Args:
        folder: the run directory.
        objects: the components that the run was started with as Python objects.
        overrides: values that replace those of the config.
        goes_on: whether the run's own model is used, and its initial weights are not opened if there is a checkpoint.

    Raises:
        ConfigErrors: if the config cannot be used, or an object was not in the run.
        ConfigError: if a module was found elsewhere, or the run is not the user's own, needs modules or files, and the
            user did not say to trust it.
    """
    environment = read_environment(folder)
    sources = _recorded(environment)
    text, name = directory.config_text(folder), str(folder / directory.CONFIG)
    # A module that is no longer where it was would be looked for in other places, such as the working folder.
    is_there = all(_is_usable(Path(file), folder) for file in sources.modules.values())
    if not (trusts() or (is_there and is_own(environment, text))):
        planned = config.loads(text, name, overrides, imports=False).experiment
        if goes_on and directory.finished_rounds(folder):
            model = planned.model.model_copy(update={"initial_weights": None})
            planned = planned.model_copy(update={"model": model})
        require_trust(folder, planned, sources.modules)
    with _importable(folder, sources.modules):
        source = config.load_again(text, name, objects, overrides)
    part = source.experiment.data.part
    given = part.parameters.get(_PATH)
    # Where a run was carried to another machine, the given path may lead to its data and the recorded one nowhere.
    if sources.data is None or not isinstance(given, str) or Path(given).expanduser().is_absolute():
        return source
    if not Path(sources.data).exists() and Path(given).exists():
        return source
    # An override of the path is meant as it is said.
    if any(config.key_of(each) == f"data.{_PATH}" for each in overrides):
        return source
    there = config.Part(part.name, {**part.parameters, _PATH: sources.data}, part.value)
    return config.with_section(source, "data", source.experiment.data.model_copy(update={"part": there}))


def _recorded(environment: Mapping[str, Any]) -> RunSources:
    """What environment.json says; nothing for a run of an earlier version."""
    said = environment.get(_KEY)
    said = said if isinstance(said, dict) else {}
    data, modules = said.get("data"), said.get("modules")
    return RunSources(
        data if isinstance(data, str) and Path(data).is_absolute() else None,
        {name: file for name, file in modules.items() if isinstance(file, str)}
        if isinstance(modules, dict)
        else {},
    )


@contextmanager
def _importable(folder: Path, modules: Mapping[str, str]) -> Iterator[None]:
    """Let an import of these names find these files, before anything else of the same name."""
    files = {name: Path(file) for name, file in modules.items() if _is_usable(Path(file), folder)}
    for name, file in files.items():
        loaded = sys.modules.get(name)
        if loaded is not None and not _is_from(loaded, file):
            raise ConfigError(
                f"the run's module {name} is {file}, and this process has imported another of that name: "
                f"{getattr(loaded, '__file__', None)}.",
                hint="Open the run in a new process.",
            )
    finder = _RecordedModules(files)
    sys.meta_path.insert(0, finder)
    # At the end, so that nothing there hides a module that is installed. It stays: a module may import its neighbours
    # later, and worker processes receive the path.
    sys.path.extend(root for root in dict.fromkeys(map(_root, files.values())) if root not in sys.path)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)


class _RecordedModules(MetaPathFinder):
    """Finds modules in the files that a run recorded."""

    def __init__(self, files: Mapping[str, Path]) -> None:
        self._files = files

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """The module in its recorded file; None for every other one."""
        del path, target
        file = self._files.get(fullname)
        if file is None:
            return None
        inner = [str(file.parent)] if _is_package(file) else None
        return importlib.util.spec_from_file_location(fullname, file, submodule_search_locations=inner)


def _is_usable(file: Path, folder: Path) -> bool:
    # A run directory from somebody else could bring a module with it.
    is_inside = folder.resolve() in file.resolve().parents
    return file.is_absolute() and file.is_file() and not is_inside


def _is_from(module: ModuleType, file: Path) -> bool:
    there = getattr(module, "__file__", None)
    return there is not None and Path(there).resolve() == file.resolve()


def _is_package(file: Path) -> bool:
    return file.stem == "__init__"


def _root(file: Path) -> str:
    return str(file.parent.parent if _is_package(file) else file.parent)


def without_callbacks(objects: config.Objects) -> config.Objects:
    """The objects that a run was started with, but for its callbacks: whoever only uses its model needs none."""
    return {name: value for name, value in objects.items() if name != "callbacks"}


def with_own_weights(
    experiment: config.Experiment, folder: Path, from_round: int | None = None
) -> config.Experiment:
    """The experiment with initial weights from the run's own checkpoint; the original file may have changed.

    Args:
        experiment: as its config says.
        folder: the run directory.
        from_round: the round of the checkpoint; by default the last one.
    """
    if experiment.model.initial_weights is None or not directory.finished_rounds(folder):
        return experiment
    own = folder
    if from_round is not None:
        own = directory.checkpoint_folder(folder, from_round) / checkpoints.WEIGHTS
    model = experiment.model.model_copy(update={"initial_weights": str(own)})
    return experiment.model_copy(update={"model": model})
