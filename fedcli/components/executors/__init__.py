"""Where clients are trained and models are measured: one executor a file."""

from fedcli.components.executors.processes import processes
from fedcli.components.executors.ray import ray
from fedcli.components.executors.threads import threads
from fedcli.components.executors.vectorised import vectorised
from fedcli.core.factories import Registry

EXECUTORS: Registry = {"threads": threads, "processes": processes, "ray": ray, "vectorised": vectorised}

OWN_PROCESSES = frozenset({"processes", "ray"})
"""Executors whose workers are processes, each with a model of its own."""

__all__ = ["EXECUTORS", "OWN_PROCESSES", "processes", "ray", "threads", "vectorised"]
