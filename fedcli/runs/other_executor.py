"""Another executor for the rest of a run, because where clients train changes no bit of it.

The config of a run is bound by its first checkpoint and stays as it is. Every checkpoint that is written under another
executor names it. Executors that train several clients in one program have other bits; `require_same` refuses them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from fedcli.components.executors import EXECUTORS, OWN_PROCESSES
from fedcli.config import Experiment, Override, Part, key_of, loads
from fedcli.core.errors import ConfigError
from fedcli.core.roles import Choosing
from fedcli.engine.setup import Assembly
from fedcli.runs.extension import planned_beyond
from fedcli.store import directory

KEY = "executor"
_LIMIT = "client_timeout_seconds"


def require_executor(folder: Path, overrides: Sequence[Override]) -> None:
    """Refuse to resume a run with other values than those of its executor, or with another limit of a client's time.

    Raises:
        ConfigErrors: if the config is not valid with these values.
        ConfigError: with the key that cannot be changed, or the executor of which nobody knows whether it changes bits.
    """
    others = [each for each in map(key_of, overrides) if each.partition(".")[0] != KEY]
    if others:
        raise ConfigError(
            "a resumed run keeps its own config, but for the executor, which changes no bit; received a value of "
            f"{others[0]}.",
            key=others[0],
            hint="Leave it out; for another config, start a new run.",
        )
    parts = [_executor(folder, values) for values in ((), overrides)]
    custom = next((each.name for each in parts if each.name not in EXECUTORS), None)
    if custom is not None and parts[0] != parts[1]:
        raise ConfigError(
            f"nobody knows whether {custom} has the bits of another executor, or of itself with other values.",
            key=KEY,
            hint="Leave it out, so that the run goes on as it began.",
        )
    then, now = map(_limit, parts)
    if then != now:
        raise ConfigError(
            f"by the config of the run {_said(then)}, and with this executor {_said(now)}; that changes the model.",
            key=f"{KEY}.{_LIMIT}",
            hint=f"Use processes or ray with {_LIMIT}: {then}." if then else f"Leave out {_LIMIT}.",
        )


def on_threads(folder: Path) -> list[Override]:
    """What replaces an executor of worker processes, to evaluate a run where its cluster may be gone."""
    return [(KEY, "threads")] if _executor(folder).name in OWN_PROCESSES else []


def with_choice(assembly: Assembly, folder: Path) -> Assembly:
    """The assembly; if its executor chose another one and is not that of the config, its experiment names the choice.

    So the chain and the first line name what trains the clients.
    """
    experiment, executor = assembly.setup.experiment, assembly.executor
    if not isinstance(executor, Choosing) or executor_instead(folder, experiment) is None:
        return assembly
    part = Part(executor.chosen, experiment.executor.parameters)
    named = experiment.model_copy(update={KEY: part})
    return replace(assembly, setup=replace(assembly.setup, experiment=named))


def executor_instead(folder: Path, experiment: Experiment) -> str | None:
    """The name of the executor with which a run goes on; None if it is that of its config."""
    return None if experiment.executor.name == _executor(folder).name else experiment.executor.name


def beyond_config(folder: Path, experiment: Experiment) -> dict[str, Any]:
    """What the checkpoints of a run say where it goes on otherwise than its config says."""
    found = {"planned": planned_beyond(folder, experiment.rounds), KEY: executor_instead(folder, experiment)}
    return {name: value for name, value in found.items() if value is not None}


def _executor(folder: Path, overrides: Sequence[Override] = ()) -> Part:
    text = directory.config_text(folder)
    return loads(text, str(folder / directory.CONFIG), overrides, imports=False).experiment.executor


def _limit(executor: Part) -> Any:
    """After how many seconds a client is rejected. On a thread it cannot be, and `threads` only says so."""
    return executor.parameters.get(_LIMIT) if executor.name in OWN_PROCESSES else None


def _said(limit: Any) -> str:
    return "no client is rejected for its time" if limit is None else f"a client is rejected after {limit} s"
