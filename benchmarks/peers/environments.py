"""Virtual environments of the peers, each with an unmodified library from the package registry."""

from __future__ import annotations

import importlib.metadata
import os
import subprocess
import sys
import venv
from pathlib import Path
from typing import NamedTuple

from fedcli.core.errors import FedcliError

STAMP = "requirements.txt"
"""Written last, so that an environment whose installation was stopped is made again."""


class Peer(NamedTuple):
    """A library to compare with.

    Args:
        name: as on the command line.
        requirements: what its environment has, besides the TensorFlow of this one.
        program: its file beside this one.
        arguments: for the program, after the folder of the task.
    """

    name: str
    requirements: tuple[str, ...]
    program: str
    arguments: tuple[str, ...] = ()


# Flower reserves 2 cores for a client by default. One core a client trains two at once on two cores.
FLOWER = Peer("flower", ("flwr[simulation]==1.42.0",), "with_flower.py", ("1",))
PFL = Peer("pfl", ("pfl[tf]==0.6.0",), "with_pfl.py")
PEERS = {peer.name: peer for peer in (FLOWER, PFL)}


def default_cache() -> Path:
    """Where environments are kept if nobody names a folder."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "fedcli-peers"


def requirements(peer: Peer) -> tuple[str, ...]:
    """What the peer's environment has: the library, and the TensorFlow that fedcli uses here."""
    return (*peer.requirements, f"tensorflow=={importlib.metadata.version('tensorflow')}")


def interpreter(peer: Peer, cache: Path) -> Path:
    """The peer's Python in the cache folder, whether it is there or not."""
    return cache / peer.name / "bin" / "python"


def is_installed(peer: Peer, cache: Path) -> bool:
    """Whether its environment is complete, with these versions."""
    stamp = cache / peer.name / STAMP
    return stamp.is_file() and stamp.read_text().split() == list(requirements(peer))


def install(peer: Peer, cache: Path) -> None:
    """Make the peer's environment, or leave it as it is if it is complete.

    Raises:
        FedcliError: if pip cannot install the library.
    """
    if is_installed(peer, cache):
        return
    wanted = requirements(peer)
    print(f"Installing {' '.join(wanted)} into {cache / peer.name}.", file=sys.stderr, flush=True)
    venv.create(cache / peer.name, clear=True, with_pip=True)
    command = [str(interpreter(peer, cache)), "-m", "pip", "install", "--quiet", *wanted]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        said = (done.stderr.strip() or "nothing").splitlines()[-1]
        raise FedcliError(
            f"pip cannot install {wanted[0]} into {cache / peer.name}; it says: {said}. Check the connection to the "
            f"package registry, or compare with the other peers only: --peers."
        )
    (cache / peer.name / STAMP).write_text("\n".join(wanted))
