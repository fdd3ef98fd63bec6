"""Programs that XLA compiled for earlier runs, kept so that the same run starts sooner."""

from __future__ import annotations

import atexit
import functools
import hashlib
import multiprocessing
import os
import re
import shutil
import stat
import sys
import tempfile
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path

from fedcli.core.machine import FLAGS_OF_BITS, processor_flags, processor_name
from fedcli.core.tensorflow_log import hide_log

# The versions of TensorFlow for which it is tested that a program has the same bits whether it is kept or compiled.
_TESTED = ("2.21",)
_FLAGS = "--tf_xla_persistent_cache_directory={} --tf_xla_persistent_cache_device_types=CPU"
_VARIABLE = "TF_XLA_FLAGS"
# Of all programs that are kept, and of the disk: TensorFlow ends a run that cannot write a program.
_MOST_BYTES, _FREE_BYTES = 2**25, 2**28
_ENDING, _SESSION = ".program", "session-"


@functools.cache
def keep_programs() -> None:
    """Let TensorFlow read programs of earlier processes, and keep those that it compiles when this process ends.

    For the CPU of a Linux machine only, and before TensorFlow is asked for its devices or calculates. Where nothing can
    be kept, every program is compiled, which takes a third of a second or more. Worker processes keep nothing, because
    a run kills them; nor does a process in which TensorFlow has flags of the user for XLA, or may print: it would print
    pages about each program.
    """
    is_tested = sys.platform == "linux" and version("tensorflow").startswith(_TESTED)
    if not is_tested or os.environ.get(_VARIABLE) or not hide_log() or _is_worker():
        return
    try:
        store = ProgramStore(_cache_folder(), _kind())
        session = store.begin()
    except (OSError, RuntimeError):
        # No folder, or nobody's: `expanduser` finds no home of a user whom the system does not know.
        return
    atexit.register(store.end, session, os.getpid())
    import tensorflow as tf

    os.environ[_VARIABLE] = _FLAGS.format(session)
    # Now it reads the variable, which is not for processes that this one starts, and changes no bit of a run.
    tf.config.list_physical_devices("CPU")
    os.environ.pop(_VARIABLE, None)


class ProgramStore:
    """Programs in a folder of this user, with the digests of their contents in their names.

    TensorFlow reads and writes a copy of its own, in a session below the folder: it would take a file that another
    process has half written for a program, and end the run.

    Args:
        folder: is made if it does not exist.
        kind: of which programs serve each other; those of another kind are in another folder of `folder`.

    Raises:
        OSError: if it cannot be made, another user could write to it, who could then have a run execute anything, its
            disk is nearly full, or its name has a character at which TensorFlow ends a flag.
    """

    def __init__(self, folder: Path, kind: str) -> None:
        self.folder = folder / hashlib.sha256(kind.encode()).hexdigest()[:16]
        for each in (folder, self.folder):
            each.mkdir(mode=0o700, parents=True, exist_ok=True)
            found = each.lstat()
            if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o022:
                raise PermissionError(f"{each} is not a folder that its owner alone can write to")
        if re.search(r"[\s'\"\\]", str(self.folder)) or shutil.disk_usage(self.folder).free < _FREE_BYTES:
            raise OSError(f"{self.folder} is no place for programs")
        self._locks: dict[Path, int] = {}

    def begin(self) -> Path:
        """A session for this process, with a copy of every program that is as it was written."""
        self._remove_left_over()
        session = Path(tempfile.mkdtemp(prefix=_SESSION, dir=self.folder))
        self._locks[session] = os.open(session / "lock", os.O_CREAT | os.O_RDWR, 0o600)
        # It ends with this process, however it ends.
        _lock(self._locks[session])
        for file in self._files():
            name, _, digest = file.name.removesuffix(_ENDING).rpartition(".")
            # Another process may drop it at this moment.
            with suppress(FileNotFoundError):
                content = file.read_bytes()
                if hashlib.sha256(content).hexdigest() == digest:
                    (session / name).write_bytes(content)
                    # From then on, its time of access says whether TensorFlow read it.
                    os.utime(session / name, (0, 0))
                else:
                    file.unlink()
        return session

    def end(self, session: Path, process: int) -> None:
        """Keep the programs that are new in the session of a process, and remove it.

        Above 32 MiB, those programs are dropped whose last use is longest ago. Where a disk does not write down when a
        file was read, they are dropped in the order in which they were made.
        """
        # A child that was forked ends like its parent, whose session goes on.
        if process != os.getpid():
            return
        with suppress(OSError):
            known = {file.name for file in self._files()}
            for name in known:
                # Another process may have dropped it.
                with suppress(FileNotFoundError):
                    if (session / name.removesuffix(_ENDING).rpartition(".")[0]).stat().st_atime > 0:
                        os.utime(self.folder / name)
            for made in session.glob("*.pb"):
                content = made.read_bytes()
                name = f"{made.name}.{hashlib.sha256(content).hexdigest()}{_ENDING}"
                if name not in known and len(content) <= _MOST_BYTES:
                    # In the session, which is removed whatever happens here, until it is whole.
                    draft = made.with_suffix(".draft")
                    draft.write_bytes(content)
                    draft.rename(self.folder / name)
            self._drop_unused()
        shutil.rmtree(session, ignore_errors=True)
        os.close(self._locks.pop(session))

    def _files(self) -> list[Path]:
        return [file for file in self.folder.iterdir() if file.name.endswith(_ENDING)]

    def _drop_unused(self) -> None:
        left = _MOST_BYTES
        for file in sorted(self._files(), key=lambda file: file.stat().st_mtime, reverse=True):
            left -= file.stat().st_size
            if left < 0:
                file.unlink(missing_ok=True)

    def _remove_left_over(self) -> None:
        """Remove the sessions of processes that were killed."""
        for session in self.folder.glob(f"{_SESSION}*"):
            # One without a lock begins at this moment.
            with suppress(OSError), (session / "lock").open("rb") as lock:
                _lock(lock.fileno())
                shutil.rmtree(session, ignore_errors=True)


def _lock(file: int) -> None:
    # In a function, because Windows has no such module.
    import fcntl

    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _kind() -> str:
    """What decides the code that XLA makes of a program: TensorFlow as it is installed, the processor, and flags."""
    import tensorflow as tf

    libraries = sorted(Path(tf.__file__).parent.glob("libtensorflow_*"))
    installed = [f"{file.name} {file.stat().st_size} {file.stat().st_mtime_ns}" for file in libraries]
    flags = [f"{name}={os.environ.get(name)}" for name in FLAGS_OF_BITS]
    return "\n".join((tf.version.GIT_VERSION, *installed, processor_name(), *processor_flags(), *flags))


def _is_worker() -> bool:
    ray = sys.modules.get("ray")
    is_actor = ray and ray.is_initialized() and ray.get_runtime_context().get_actor_id() is not None
    return bool(is_actor) or multiprocessing.parent_process() is not None


def _cache_folder() -> Path:
    # A relative one is to be ignored, says the specification: it would be another folder for every working directory.
    given = Path(os.environ.get("XDG_CACHE_HOME", ""))
    return (given if given.is_absolute() else Path("~/.cache").expanduser()) / "fedcli" / "programs"
