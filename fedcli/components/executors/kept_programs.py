"""Programs that XLA compiled for earlier runs, kept so that the same run starts sooner."""

from __future__ import annotations

import atexit
import functools
import hashlib
import multiprocessing
import os
import shutil
import stat
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.metadata import version
from pathlib import Path
from uuid import uuid4

from fedcli.core.machine import processor_flags, processor_name

# The versions of TensorFlow for which it is tested that a program has the same bits whether it is kept or compiled.
_TESTED = ("2.21",)
_FLAG = "--tf_xla_persistent_cache_directory="
_ON_THE_CPU = "--tf_xla_persistent_cache_device_types=CPU"
_VARIABLE = "TF_XLA_FLAGS"
_MOST_BYTES = 2**25
_ENDING = ".program"


@functools.cache
def keep_programs() -> None:
    """Let TensorFlow read programs of earlier processes, and keep those that it compiles when this process ends.

    For the CPU of a Linux machine only, and before TensorFlow is asked for its devices or calculates. Where nothing can
    be kept, every program is compiled: that costs half a second each and nothing else. So it is in workers of their
    own, which a run ends and does not leave to end.
    """
    is_set_by_user = _FLAG in os.environ.get(_VARIABLE, "")
    if (
        _is_worker()
        or is_set_by_user
        or not processor_flags()
        or not version("tensorflow").startswith(_TESTED)
    ):
        return
    try:
        store = ProgramStore(_cache_folder())
        session = store.begin()
    except (OSError, RuntimeError):
        # No folder, or nobody's: `expanduser` finds no home of a user whom the system does not know.
        return
    atexit.register(store.end, session)
    with _variable(f"{os.environ.get(_VARIABLE, '')} {_FLAG}{session} {_ON_THE_CPU}".strip()):
        import tensorflow as tf

        # Now it reads the variable, which is not for processes that this one starts, and changes no bit of a run.
        tf.config.list_physical_devices("CPU")


class ProgramStore:
    """Programs in a folder of this user, with the digests of their contents in their names.

    TensorFlow reads and writes a copy of its own in a temporary folder: it would take a file that another process has
    half written for a program, and end the run.

    Args:
        folder: is made if it does not exist. What is compiled for another processor or by another version is in
            another folder of it, since it could do anything here.

    Raises:
        OSError: if it cannot be made, or another user could write to it, who could then have a run execute anything.
    """

    def __init__(self, folder: Path) -> None:
        kind = "\n".join((version("tensorflow"), processor_name(), *processor_flags()))
        self.folder = folder / hashlib.sha256(kind.encode()).hexdigest()[:16]
        for each in (folder, self.folder):
            each.mkdir(mode=0o700, parents=True, exist_ok=True)
            found = each.lstat()
            if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o022:
                raise PermissionError(f"{each} is not a folder that its owner alone can write to")

    def begin(self) -> Path:
        """A temporary folder for this process, with a copy of every program that is as it was written."""
        _remove_left_over()
        session = Path(tempfile.mkdtemp(prefix=f"fedcli-programs-{os.getpid()}-"))
        for file in self._files():
            name, _, digest = file.name.removesuffix(_ENDING).rpartition(".")
            content = file.read_bytes()
            if hashlib.sha256(content).hexdigest() == digest:
                (session / name).write_bytes(content)
            else:
                file.unlink(missing_ok=True)
        return session

    def end(self, session: Path) -> None:
        """Keep the programs that are new in the session, remove it, and drop the oldest programs above 32 MiB."""
        with suppress(OSError):
            known = {file.name for file in self._files()}
            for made in session.iterdir():
                content = made.read_bytes()
                name = f"{made.name}.{hashlib.sha256(content).hexdigest()}{_ENDING}"
                if name not in known:
                    draft = self.folder / f".{uuid4().hex}"
                    draft.write_bytes(content)
                    draft.rename(self.folder / name)
            self._drop_oldest()
        shutil.rmtree(session, ignore_errors=True)

    def _files(self) -> list[Path]:
        return [file for file in self.folder.iterdir() if file.name.endswith(_ENDING)]

    def _drop_oldest(self) -> None:
        left = _MOST_BYTES
        for file in sorted(self._files(), key=lambda file: file.stat().st_mtime, reverse=True):
            left -= file.stat().st_size
            if left < 0:
                file.unlink(missing_ok=True)


def _is_worker() -> bool:
    ray = sys.modules.get("ray")
    is_actor = ray and ray.is_initialized() and ray.get_runtime_context().get_actor_id() is not None
    return bool(is_actor) or multiprocessing.parent_process() is not None


def _cache_folder() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "fedcli" / "programs"


@contextmanager
def _variable(value: str) -> Iterator[None]:
    before = os.environ.get(_VARIABLE)
    os.environ[_VARIABLE] = value
    try:
        yield
    finally:
        del os.environ[_VARIABLE]
        if before is not None:
            os.environ[_VARIABLE] = before


def _remove_left_over() -> None:
    """Remove the sessions of processes that were killed."""
    for folder in Path(tempfile.gettempdir()).glob("fedcli-programs-*-*"):
        with suppress(OSError, ValueError):
            if folder.lstat().st_uid == os.getuid() and not _is_alive(int(folder.name.split("-")[2])):
                shutil.rmtree(folder, ignore_errors=True)


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
