"""The connection of this process to Ray: to a cluster, or to an instance of its own."""

from __future__ import annotations

import logging
import os
import signal
import socket
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from fedcli.components.executors.ray_protection import forget_token, out_of_reach
from fedcli.components.executors.temporary_folder import TemporaryFolder
from fedcli.core.errors import ConfigError, RunError

_PORTS = 2**16

# A process has one connection to Ray at most, which several executors may use one after another. Nobody is listed for a
# connection that was there before.
_USERS: list[object] = []
_FOLDERS: list[TemporaryFolder] = []
# Ray's own function that prints, while ours is in its place.
_PRINTERS: list[Any] = []


def require_address(address: str | None) -> None:
    """Refuse an address that cannot be that of a cluster.

    Raises:
        ConfigError: with what an address is.
    """
    if address in (None, "auto") or _host_and_port(address) is not None:
        return
    if address.startswith("ray://"):
        raise ConfigError(
            f"{address} is the address of Ray Client, which is not supported.",
            key="address",
            hint="Start the run on a node of the cluster, with address: auto.",
        )
    raise ConfigError(
        f"an address is auto or host:port; received '{address}'.",
        key="address",
        hint="Remove it for an instance of the run's own on this machine.",
    )


def join(user: object, address: str | None, workers: int) -> None:
    """Connect this process to a cluster, or start an instance of its own.

    Args:
        user: who uses the connection until it leaves.
        address: of the cluster; null for an instance of its own.
        workers: the CPUs of an instance of its own.

    Raises:
        ConfigError: if there is no such cluster, or this process is connected to another.
        RunError: if an instance of its own cannot be started.
    """
    import ray

    if ray.is_initialized():
        is_own, joined = bool(_FOLDERS), ray.get_runtime_context().gcs_address
        if is_own != (address is None) or address not in (None, "auto", joined):
            raise ConfigError(
                f"this process is connected to {'an instance of its own' if is_own else f'the cluster at {joined}'} "
                f"already; executor.address is {address or 'null'}.",
                key="executor.address",
                hint="Use the same address for all runs of a process, or call ray.shutdown() before.",
            )
        # A connection that the user made, in a notebook say, is theirs to end.
        if _USERS:
            _USERS.append(user)
        return
    # Read by Ray when it starts its processes. Without the second, an actor that reserves no GPU sees none.
    os.environ |= {"RAY_USAGE_STATS_ENABLED": "0", "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0"}
    quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR}
    if address is None:
        folder = TemporaryFolder("fedcli-ray-")
        _FOLDERS.append(folder)
        # Nobody else on the network: whoever reaches Ray's ports can run code in its processes. Without an address Ray
        # would join the cluster that RAY_ADDRESS names.
        here: dict[str, Any] = {
            "address": "local",
            "_node_ip_address": "127.0.0.1",
            "_temp_dir": str(folder.path),
        }
        try:
            with _same_signals(), out_of_reach():
                ray.init(num_cpus=workers, include_dashboard=False, **here, **quiet)
        except BaseException as error:
            # Some of its processes may run already.
            _end()
            # A folder or a device that cannot be used, or what Ray says of its own processes.
            if isinstance(error, Exception):
                raise RunError(
                    f"Ray could not be started on this machine: {str(error).rstrip('.')}.\n"
                    "Correct that, or use executor: threads (--resume RUN --set executor=threads), which needs no Ray."
                ) from error
            raise
    else:
        # Ray itself puts it in the place of `auto`, and would start its client for an address of that.
        named = os.environ.get("RAY_ADDRESS", "") if address == "auto" else address
        try:
            # Ray itself would try again for minutes.
            if place := _host_and_port(named):
                socket.create_connection(place, timeout=10).close()
            elif named not in ("", "auto"):
                raise ValueError(f"RAY_ADDRESS is {named}, which is not host:port")
            # A namespace of its own, so that two runs on a cluster do not see each other.
            with _same_signals():
                ray.init(address=named or "auto", namespace=f"fedcli-{uuid.uuid4().hex}", **quiet)
        except (OSError, ValueError, RuntimeError) as error:
            raise ConfigError(
                f"there is no cluster of Ray at '{named or address}': {error}",
                key="executor.address",
                hint="Make one with `ray start --head`, set RAY_AUTH_MODE=token if it asks for a token, or remove "
                "address to use this machine alone. A run goes on without a cluster, to the same bits, with --resume "
                "RUN --set executor=threads.",
            ) from error
    _be_quiet()
    _USERS.append(user)


def leave(user: object) -> None:
    """End the connection if nobody else uses it, and an instance of its own."""
    if user not in _USERS:
        return
    _USERS.remove(user)
    if not _USERS:
        _end()


def _be_quiet() -> None:
    """Keep Ray from printing the logs of a node that ended, dozens of lines; rounds say who was lost and why."""
    from ray._private import worker

    _PRINTERS.append(getattr(worker, "print_to_stdstream", None))
    worker.print_to_stdstream = lambda *_, **__: None


def _end() -> None:
    import ray
    from ray._private import worker

    ray.shutdown()
    # A connection of the user's own prints again.
    while _PRINTERS:
        worker.print_to_stdstream = _PRINTERS.pop()
    if _FOLDERS:
        forget_token()
    while _FOLDERS:
        _FOLDERS.pop().remove()


def _host_and_port(address: str) -> tuple[str, int] | None:
    host, _, port = address.rpartition(":")
    if not host or "/" in host or not (port.isdecimal() and 0 < int(port) < _PORTS):
        return None
    # Of an address of IPv6 in brackets.
    return host.strip("[]"), int(port)


@contextmanager
def _same_signals() -> Iterator[None]:
    """Keep what SIGTERM does in this process.

    Ray would end the process with an exception, and print a trace of its own, where a run writes how it is resumed.
    """
    # Elsewhere nobody can set one, and Ray does not.
    number = signal.SIGTERM if threading.current_thread() is threading.main_thread() else None
    before = signal.getsignal(number) if number else None
    try:
        yield
    finally:
        # None is a handler that is not Python's, which could not be set again.
        if number and before is not None:
            signal.signal(number, before)
