"""Where clients are trained and models are measured: one executor a file."""

from collections.abc import Callable, Mapping

from fedcli.components.executors.auto import auto
from fedcli.components.executors.processes import processes
from fedcli.components.executors.ray import check_ray_settings, ray
from fedcli.components.executors.threads import check_limits, threads
from fedcli.components.executors.vectorised import vectorised
from fedcli.core.factories import Registry

EXECUTORS: Registry = {
    "threads": threads,
    "processes": processes,
    "ray": ray,
    "vectorised": vectorised,
    "auto": auto,
}

CHECKS: Mapping[str, Callable[..., None]] = {
    **dict.fromkeys(("threads", "processes", "vectorised", "auto"), check_limits),
    "ray": check_ray_settings,
}
"""What refuses an executor's parameters; the executor itself loads TensorFlow when it is made."""

OWN_PROCESSES = frozenset({"processes", "ray"})
"""Executors whose workers are processes, each with a model of its own."""

CHOOSING = frozenset({"auto"})
"""Executors whose choice depends on the built model."""

PARTICULAR = frozenset({"vectorised"})
"""Executors that refuse models, which only the built model shows."""

FOLDING = frozenset({"ray"})
"""Executors whose workers add the updates of whole blocks of clients, where the server needs only sums."""

__all__ = [
    "CHECKS",
    "CHOOSING",
    "EXECUTORS",
    "FOLDING",
    "OWN_PROCESSES",
    "PARTICULAR",
    "auto",
    "processes",
    "ray",
    "threads",
    "vectorised",
]
