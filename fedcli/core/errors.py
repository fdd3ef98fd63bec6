"""Errors that a user can cause. Each says what was received, what was expected and what to do."""

from __future__ import annotations


class FedcliError(Exception):
    """A failure that fedcli explains; the command line prints it without a traceback."""

    exit_code = 1


# A ValueError too, which callers from Python expect of a wrong argument.
class ConfigError(FedcliError, ValueError):
    """A value of the experiment that cannot be used.

    Args:
        message: what was received and what was expected, as a sentence.
        key: the wrong parameter, relative to the component that raises (`"alpha"`). The caller adds the
            component's place in the file (`"data.partition.alpha"`).
        hint: what to do, as a sentence.
    """

    # The code that command lines return for wrong usage.
    exit_code = 2

    def __init__(self, message: str, *, key: str = "", hint: str = "") -> None:
        super().__init__(message if not hint else f"{message}\n{hint}")
        self.message = message
        self.key = key
        self.hint = hint

    def under(self, prefix: str) -> ConfigError:
        """The same error with its key placed below `prefix`."""
        # A component does not know its place in the file; each caller adds one level.
        key = f"{prefix}.{self.key}" if self.key else prefix
        return ConfigError(self.message, key=key, hint=self.hint)


class DataError(ConfigError):
    """A dataset that is absent, cannot be read or has the wrong form."""

    def under(self, prefix: str) -> DataError:
        """The same error with its key placed below `prefix`."""
        return DataError(self.message, key=f"{prefix}.{self.key}" if self.key else prefix, hint=self.hint)


class MissingLibraryError(ConfigError):
    """A library that the experiment needs and that is not installed."""

    def under(self, prefix: str) -> MissingLibraryError:
        """The same error with its key placed below `prefix`."""
        key = f"{prefix}.{self.key}" if self.key else prefix
        return MissingLibraryError(self.message, key=key, hint=self.hint)


class RunError(FedcliError, RuntimeError):
    """A run that cannot continue, or a run directory that cannot be used."""


class DiskError(RunError, OSError):
    """A file of a run that cannot be written: the disk is full, broken or read-only, or access to it is denied."""


class ComponentError(RunError):
    """A component that failed with an exception of its own: which one, in which round, why, and at which line."""


class ClientError(ComponentError):
    """A client whose work failed in a way that is not a refusal: which round, client and component, and why."""


class LostWorkersError(RunError):
    """Worker processes that ended while they worked, again and again; all finished rounds are kept."""


class RuinedModelError(RunError):
    """A round after which the model, or what the server keeps, would be of no use; the round is not kept."""


class RunWarning(UserWarning):
    """What the user of a run should know while it goes on."""


class EndlessClientWarning(RunWarning):
    """A client that trains for longer than it should, on a thread that nothing can end."""


class NoWorkerWarning(RunWarning):
    """A run that waits for workers, all of which were lost."""


class RunInterrupted(FedcliError):
    """The user stopped a run; it can be resumed from its last committed round."""

    # 128 + SIGINT, as shells report a program that Ctrl-C ended.
    exit_code = 130


class InvalidUpdateError(FedcliError, ValueError):
    """An update that must not enter the aggregate; its client is recorded as rejected."""


class VoidRoundError(FedcliError, RuntimeError):
    """A round that ends without a release, with the reason. The model does not change, and the run continues."""


def is_out_of_memory(error: BaseException) -> bool:
    """Whether memory has run out, in Python or in TensorFlow: a failure of the machine, and not of a client."""
    # By its name, since TensorFlow may not be loaded. Its error is none of Python's.
    return isinstance(error, MemoryError) or type(error).__name__ == "ResourceExhaustedError"


def require_positive(name: str, value: float) -> None:
    """Refuse a parameter that is not above 0.

    Raises:
        ConfigError: with `name` as its key.
    """
    if not value > 0:  # written so that NaN is refused too
        raise ConfigError(f"{name} is a number above 0; received {value}.", key=name)


def require_share(name: str, value: float) -> None:
    """Refuse a parameter that does not lie in [0, 1).

    Raises:
        ConfigError: with `name` as its key.
    """
    if not 0 <= value < 1:
        raise ConfigError(f"{name} lies in [0, 1); received {value}.", key=name)
