"""Facts of the machine that this process runs on."""

from __future__ import annotations

import os


def available_cores() -> int:
    """The number of cores that this process may use, at least 1."""
    # A container or `taskset` may allow fewer cores than the machine has; macOS and Windows cannot tell.
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def available_memory() -> int | None:
    """Bytes that new processes can use without swapping; None where the system does not say."""
    try:
        with open("/proc/meminfo", encoding="ascii") as file:
            kilobytes = next(line.split()[1] for line in file if line.startswith("MemAvailable:"))
    except (OSError, StopIteration):
        return None
    return int(kilobytes) * 1024
