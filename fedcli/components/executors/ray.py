"""Clients in the actors of Ray, on one machine or on the nodes of a cluster."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, cast, final

from fedcli.components.executors.crew import RayCrew, Staff
from fedcli.components.executors.dispatch import dispatched, in_blocks, in_chunks, one_by_one
from fedcli.components.executors.gpus import default_workers
from fedcli.components.executors.parcels import packed
from fedcli.components.executors.ray_connection import join, leave, require_address
from fedcli.components.executors.threads import check_limits, limit_tensorflow_threads, window_of
from fedcli.core.errors import ConfigError, MissingLibraryError, RunError
from fedcli.core.machine import available_cores
from fedcli.core.roles import Abandonable, Bulky, Executor, Foldable, Work
from fedcli.core.types import Item, Result

_RETURN_SECONDS = 5.0
"""After so long the CPUs of workers that have just ended are free again."""


def ray(
    *,
    workers: int | None = None,
    address: str | None = None,
    gpus_per_worker: float = 0.0,
    client_timeout_seconds: float | None = None,
) -> Executor:
    """Whole clients in the actors of Ray, for a cohort that is too much for one machine.

    There is a fixed set of actors for the whole run. Each builds the experiment from its config, which takes the time
    to import TensorFlow and the memory of the dataset, and compiles one program. Results are the same to the bit as
    with `threads`. An actor that is lost, alone or with its node, is replaced, and its clients are trained again.

    Args:
        workers: number of clients that train at the same time, at least 1; by default the number of cores (1
            with a GPU), in a cluster the number of free CPUs of all nodes (of free GPUs, if a worker needs them).
        address: `auto` to join the cluster that `ray start` made on this machine, or `host:port` of a cluster; null
            for an instance of the run's own on this machine, which ends with the run.
        gpus_per_worker: GPUs, or the share of one, that Ray reserves for each actor, at least 0.
        client_timeout_seconds: after so many seconds of this machine's clock, above 0, a client is killed and
            rejected; null to wait for ever. Who is late depends on the machine, so that the bits of such a run may
            differ.

    Raises:
        ConfigError: if a value is outside its range.
        MissingLibraryError: if Ray is not installed.
    """
    check_ray_settings(workers, address, gpus_per_worker, client_timeout_seconds)
    try:
        import ray  # noqa: F401
    except ImportError as error:
        raise MissingLibraryError(
            "the executor ray needs Ray, which is not installed.",
            key="name",
            hint="Run pip install 'fedcli[ray]', or use executor: threads.",
        ) from error
    return RayExecutor(workers, address, gpus_per_worker, client_timeout_seconds)


def check_ray_settings(
    workers: int | None = None,
    address: str | None = None,
    gpus_per_worker: float = 0.0,
    client_timeout_seconds: float | None = None,
) -> None:
    """Refuse parameters with which no actor could work.

    Raises:
        ConfigError: if a value is outside its range.
    """
    check_limits(workers, client_timeout_seconds)
    if not 0 <= gpus_per_worker < float("inf"):
        raise ConfigError(
            f"gpus_per_worker is at least 0; received {gpus_per_worker}.", key="gpus_per_worker"
        )
    require_address(address)


@final
class RayExecutor:
    """A fixed set of actors, which receive the work of a round once and then its items."""

    packages = ("ray",)

    def __init__(
        self, workers: int | None, address: str | None, gpus_per_worker: float, seconds: float | None
    ) -> None:
        self._workers, self._address, self._gpus, self._seconds = workers, address, gpus_per_worker, seconds
        # This process trains nothing, but it draws the initial weights, and compiles, as its workers do; these may be
        # on other machines, so that it has threads for its own cores only.
        limit_tensorflow_threads(min(workers or default_workers(), available_cores()))
        self._staff: Staff | None = None
        self._works = 0
        self._is_closed = False

    @property
    def num_workers(self) -> int:
        """Clients that train at the same time; of a cluster known after the first work."""
        return self._staff.num_workers if self._staff else self._workers or default_workers()

    @property
    def processes_per_machine(self) -> int:
        """All workers; in a cluster one for each core at most, as of this machine."""
        if self._address is None:
            return self._workers or default_workers()
        return min(self._workers or available_cores(), available_cores())

    @property
    def lost(self) -> Sequence[str]:
        """For each actor that was lost so far: where, why, and which clients were trained again."""
        return self._staff.lost if self._staff else []

    @property
    def traffic(self) -> tuple[int, int]:
        """Bytes that were sent to actors, a round's work once, and received from them so far."""
        return (self._staff.bytes_sent, self._staff.bytes_received) if self._staff else (0, 0)

    def run(self, work: Work[Item, Result], items: Iterable[Item]) -> Iterator[Result]:
        """Yield the results lazily, in the order of `items`.

        Raises:
            ConfigError: if the work cannot be pickled, or there is no cluster.
            RunError: if an actor cannot do this work, or too many are lost.
        """
        self._works += 1
        # Before Ray is started: what cannot travel needs no workers.
        parcel = packed(work)
        is_first = self._staff is None
        staff = self._staff or self._start()
        import ray

        # Once for all nodes: each has one copy in shared memory, which its actors read.
        staff.bytes_sent += parcel.num_bytes
        limit = self._seconds if isinstance(work, Abandonable) else None
        crew = RayCrew(staff, self._works, ray.put(parcel), limit)
        if is_first:
            crew.begin_everywhere()

        def give_up(item: Any) -> Any:
            reason = f"it did not end within {limit:g} s, and its process was killed"
            return cast(Abandonable[Any, Any], work).give_up(item, reason)

        pieces = one_by_one(iter(items))
        # With a limit of time each client is ended by itself.
        if limit is None and isinstance(work, Foldable) and (blocks := work.blocks(items)):
            pieces = in_blocks(blocks, staff.num_workers)
        # Pieces of an evaluation: they have no limit of time, and their results are figures.
        if not isinstance(work, Abandonable | Bulky) and isinstance(items, Sequence):
            pieces = in_chunks(items, staff.num_workers)
        window = window_of(work, staff.num_workers)
        yield from dispatched(crew, pieces, window=window, give_up=give_up)

    def close(self) -> None:
        """End all actors, and an instance of its own; clients that are still trained are not waited for."""
        self._is_closed = True
        if self._staff is not None:
            self._staff.close()
            self._staff = None
        leave(self)

    def _start(self) -> Staff:
        if self._is_closed:
            raise RunError("the executor is closed.")
        number = self._workers or default_workers()
        join(self, self._address, number)
        # In an instance of this run alone, there is nobody to divide CPUs with.
        cpus = 0.0 if self._address is None else 1.0
        needs = {kind: share for kind, share in (("CPU", cpus), ("GPU", self._gpus)) if share}
        number = _possible(needs, self._workers if self._address else number, self._address)
        # Kept before they begin, so that `close` ends them if one cannot.
        options = {
            "num_cpus": cpus,
            "num_gpus": self._gpus,
            "max_restarts": 0,
            "scheduling_strategy": "SPREAD",
        }
        self._staff = Staff(number, options)
        self._staff.begin()
        return self._staff


def _possible(needs: Mapping[str, float], wanted: int | None, address: str | None) -> int:
    """How many workers start: those that are wanted, or as many as the free CPUs and GPUs are enough for.

    Args:
        needs: how many of each kind a worker reserves.
        wanted: null for as many as possible.
        address: the cluster; null for an instance of the run's own.

    Raises:
        ConfigError: if there are too few. A worker that waits for what others hold would say nothing for minutes.
    """
    import ray

    def room(resources: Mapping[str, float]) -> int:
        return min(
            (_fit(resources.get(kind, 0), share) for kind, share in needs.items()), default=wanted or 1
        )

    until = time.monotonic() + _RETURN_SECONDS
    while True:
        there, free = cast(Any, ray).cluster_resources(), cast(Any, ray).available_resources()
        if room(free) >= min(wanted or room(there), room(there)) or time.monotonic() >= until:
            break
        time.sleep(0.1)
    number = wanted or room(free)
    if 1 <= number <= room(free):
        return number
    needed, has, are_free = (
        " and ".join(f"{each.get(kind, 0):g} {kind}" for kind in needs)
        for each in ({kind: max(number, 1) * share for kind, share in needs.items()}, there, free)
    )
    raise ConfigError(
        f"{max(number, 1)} of executor.workers need {needed}; {f'the cluster at {address}' if address else 'Ray'} has "
        f"{has}, of which {are_free} are free.",
        key="executor.workers",
        hint="Use fewer workers, wait until others are done (`ray status`), or start more nodes with "
        "`ray start --address=...`.",
    )


def _fit(free: float, share: float) -> int:
    """How many workers with a share of a device fit: a share is of one device, and whole devices are of one node."""
    # Three tenths are three times one tenth.
    if share >= 1:
        return int(free / share + 1e-9)
    whole, rest = divmod(free, 1)
    return int(whole) * int(1 / share + 1e-9) + int(rest / share + 1e-9)
