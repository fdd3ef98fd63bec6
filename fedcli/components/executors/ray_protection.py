"""What keeps others out of an instance of Ray that is a run's own."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

_MODE, _TOKEN, _FILE = "RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"


@contextmanager
def out_of_reach() -> Iterator[None]:
    """While an instance starts: its ports are of this machine alone, and ask for a token if Ray knows tokens.

    Whoever reaches Ray's ports can run code in its processes. A token that the user set in the environment is kept. Ray
    itself would write one into the user's home, which may be read-only, and from then on every `ray start` of this user
    would ask for it.
    """
    before = {name: os.environ.get(name) for name in (_MODE, _TOKEN)}
    if not (os.environ.get(_TOKEN) or os.environ.get(_FILE)):
        os.environ[_TOKEN] = secrets.token_hex(32)
    _read_anew()
    try:
        with _on_loopback():
            yield
    finally:
        # Ray's processes have it, and so has this one, which reads a token once.
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def forget_token() -> None:
    """After an instance has ended, let the next connection read whether there is a token, and which."""
    raylet = _raylet()
    # The mode, which Ray sets to `token` for all later connections of this process.
    if hasattr(raylet, "AuthenticationTokenLoader"):
        raylet.Config.initialize("")
    _read_anew()


@contextmanager
def _on_loopback() -> Iterator[None]:
    """On Linux, Ray takes the machine's address for 127.0.0.1 and listens everywhere, unless there are no clusters."""
    from ray._private import ray_constants

    before = ray_constants.ENABLE_RAY_CLUSTER
    ray_constants.ENABLE_RAY_CLUSTER = False
    try:
        yield
    finally:
        ray_constants.ENABLE_RAY_CLUSTER = before


def _read_anew() -> None:
    # Earlier versions of Ray have no tokens.
    if loader := getattr(_raylet(), "AuthenticationTokenLoader", None):
        loader.instance().reset_cache()


def _raylet() -> Any:
    from ray import _raylet

    return _raylet
