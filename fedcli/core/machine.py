"""Facts of the machine that this process runs on, and what else decides the bits of what it calculates."""

from __future__ import annotations

import os
import platform

PACKAGES_OF_BITS = ("tensorflow", "keras", "numpy")
"""Packages of which another version gives other bits."""

FLAGS_OF_BITS = (
    "TF_ENABLE_ONEDNN_OPTS",
    "TF_DETERMINISTIC_OPS",
    "NVIDIA_TF32_OVERRIDE",
    "XLA_FLAGS",
    "TF_XLA_FLAGS",
    "KERAS_BACKEND",
)
"""Variables of the environment by which these choose how they calculate."""

# Of x86, then of ARM.
_VECTOR = ("sse4", "avx", "fma", "f16c", "amx", "asimd", "sve", "bf16", "i8mm")


def available_cores() -> int:
    """The number of cores that this process may use, at least 1."""
    # A container or `taskset` may allow fewer cores than the machine has; macOS and Windows cannot tell.
    own = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    # Slurm need not bind a task to its cores; two jobs on a node would then take all of them twice.
    granted = os.environ.get("SLURM_CPUS_PER_TASK", "")
    return min(own, int(granted)) if granted.isdecimal() and int(granted) else own


def available_memory() -> int | None:
    """Bytes that new processes can use without swapping; None where the system does not say."""
    try:
        with open("/proc/meminfo", encoding="ascii") as file:
            kilobytes = next(line.split()[1] for line in file if line.startswith("MemAvailable:"))
    except (OSError, StopIteration):
        return None
    return int(kilobytes) * 1024


def vector_features() -> list[str]:
    """The instructions of this processor by which numeric libraries choose their kernels, sorted; empty if unknown."""
    # Kernels of other widths add in another order.
    return sorted(each for each in processor_flags() if each.startswith(_VECTOR))


def processor_flags() -> list[str]:
    """All that the system says of this processor's instructions; empty if unknown."""
    # Linux only; elsewhere the name of the processor has to do.
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            line = next((line for line in file if line.startswith(("flags", "Features"))), ":")
    except OSError:
        return []
    return line.partition(":")[2].split()


def processor_name() -> str:
    """The model of this processor, by which kernels are chosen too."""
    # On Linux, `platform.processor()` is often empty or only the architecture.
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            names = [line.split(":", 1)[1].strip() for line in file if line.startswith("model name")]
    except OSError:
        names = []
    return names[0] if names else platform.processor()
