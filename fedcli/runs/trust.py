"""Whether the modules and files that a run names may be used: those of one's own runs, and of others on request.

A run directory may come from anyone, and whoever imports the modules that its config names runs code of their choice.
A run that needs modules or files has a mark in its environment.json: an HMAC of its config and of where the files were,
under a key in the user's own folder of settings. Nobody else can make it, and in another config it does not hold.
"""

from __future__ import annotations

import functools
import hmac
import json
import os
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from hashlib import sha256
from pathlib import Path
from secrets import token_bytes, token_hex
from typing import Any

from fedcli import config
from fedcli.core.errors import ConfigError
from fedcli.store.files import guarded
from fedcli.store.files.disk import LOCAL
from fedcli.store.files.guarded import FileRefused

_KEY_FILE, _KEY_BYTES = "own-runs.key", 32
# Parameters of built-in components that lead to files, folders or servers.
_PLACES = ("path", "folder", "uri")
_TRUSTS: ContextVar[bool] = ContextVar("trusts", default=False)


@contextmanager
def trusting(trust_code: bool = True) -> Iterator[None]:
    """Whether runs that are opened inside may import their modules and open their files, whoever made them."""
    # What was allowed around it stays allowed.
    token = _TRUSTS.set(trust_code or _TRUSTS.get())
    try:
        yield
    finally:
        _TRUSTS.reset(token)


def trusts() -> bool:
    """Whether the user has said so."""
    return _TRUSTS.get()


def needs(experiment: config.Experiment) -> tuple[dict[str, str], dict[str, str]]:
    """The custom components that an experiment imports, and the places that its built-in ones open, by their keys."""
    modules = {key: name for key, name in config.custom_components(experiment) if not name.startswith("<")}
    places = {
        f"{key}.{name}": value
        for key, part in config.components(experiment)
        for name, value in part.parameters.items()
        if name in _PLACES and isinstance(value, str)
    }
    if experiment.model.initial_weights is not None:
        places["model.initial_weights"] = experiment.model.initial_weights
    return modules, places


def mark_of(run: str, text: str, sources: Mapping[str, Any]) -> str:
    """The mark of a run that begins here.

    Args:
        run: its random name.
        text: its config.yaml.
        sources: where its files are.
    """
    said = [run, sha256(text.encode()).hexdigest(), sources]
    return hmac.digest(_key(_settings()), json.dumps(said, sort_keys=True).encode(), "sha256").hex()


def is_own(environment: Mapping[str, Any], text: str) -> bool:
    """Whether the environment.json of a run has the mark that this user's key gives it."""
    mark, run, sources = (environment.get(name) for name in ("mark", "run", "sources"))
    if not (isinstance(mark, str) and isinstance(run, str) and isinstance(sources, dict)):
        return False
    return hmac.compare_digest(mark.encode(), mark_of(run, text, sources).encode())


def require_trust(folder: Path, experiment: config.Experiment, files: Mapping[str, str]) -> None:
    """Refuse to use the modules and files that a run names.

    Args:
        folder: the run directory.
        experiment: its config.
        files: where its modules were when it began.

    Raises:
        ConfigError: with all that it would import and open, if there is anything.
    """
    modules, places = needs(experiment)
    said = []
    for key, name in modules.items():
        file = files.get(name.partition(":")[0].partition(".")[0])
        said.append(f"  imports {name} for {key}" + (f", from {file}" if file else ""))
    said += [f"  opens {place} for {key}" for key, place in places.items()]
    if said:
        raise ConfigError(
            "\n".join([f"{folder} is not known as a run of your own, and its config.yaml", *said]),
            hint="If you trust whoever made it, add --trust-code (from Python: trust_code=True).",
        )


def _settings() -> Path:
    return Path(os.environ.get("XDG_CONFIG_HOME") or "~/.config").expanduser() / "fedcli"


# Kept: where nothing can be written, the runs of this process are still known to it.
@functools.cache
def _key(folder: Path) -> bytes:
    """The user's key, which is made at its first use."""
    file = folder / _KEY_FILE
    with suppress(OSError, FileRefused):
        if not file.exists():
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            draft = folder / f".{_KEY_FILE}.{token_hex(8)}"
            LOCAL.write(draft, token_bytes(_KEY_BYTES), mode=0o600)
            # Of two processes that make one at once, the second finds that of the first.
            with suppress(FileExistsError):
                os.link(draft, file)
            draft.unlink()
        found = file.lstat()
        is_mine = found.st_uid == os.getuid() and stat.S_IMODE(found.st_mode) & 0o077 == 0
        if stat.S_ISREG(found.st_mode) and is_mine and found.st_size == _KEY_BYTES:
            return guarded.read_bytes(file, below=folder, limit=_KEY_BYTES)
    return token_bytes(_KEY_BYTES)
