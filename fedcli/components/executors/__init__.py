"""Where clients run."""

from fedcli.components.executors.threads import threads
from fedcli.core.factories import Registry

EXECUTORS: Registry = {"threads": threads}

__all__ = ["EXECUTORS", "threads"]
