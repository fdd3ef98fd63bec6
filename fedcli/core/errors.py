"""Errors that a user can cause. Each is a sentence: what was received, what was expected, what to do."""

from __future__ import annotations


class FedcliError(Exception):
    """Any failure that fedcli explains itself; the command line prints it without a traceback."""

    exit_code = 1


class ConfigError(FedcliError, ValueError):
    """A value of the experiment that cannot be used.

    Args:
        message: what was received and what was expected, as a sentence.
        key: the offending parameter, relative to the part that raises (`"alpha"`); the builder prefixes
            it with the part's place in the file (`"data.partition.alpha"`).
        hint: what to do about it, as a sentence.
    """

    exit_code = 2

    def __init__(self, message: str, *, key: str = "", hint: str = "") -> None:
        super().__init__(message if not hint else f"{message}\n{hint}")
        self.message = message
        self.key = key
        self.hint = hint

    def under(self, prefix: str) -> ConfigError:
        """The same error with its key placed below `prefix`."""
        key = f"{prefix}.{self.key}" if self.key else prefix
        return ConfigError(self.message, key=key, hint=self.hint)


class DataError(ConfigError):
    """A dataset that is absent, unreadable or of the wrong form."""

    def under(self, prefix: str) -> DataError:
        """The same error with its key placed below `prefix`."""
        return DataError(self.message, key=f"{prefix}.{self.key}" if self.key else prefix, hint=self.hint)


class RunError(FedcliError, RuntimeError):
    """A run that cannot go on, or a run directory that cannot be used."""


class ClientError(RunError):
    """A client whose work failed in a way that is not a refusal: which round, client and component, and why."""


class RunInterrupted(FedcliError):
    """The user asked a run to stop; what is committed can be resumed."""

    exit_code = 130


class InvalidUpdateError(FedcliError, ValueError):
    """A client's update that must not reach the aggregate; the client is recorded as rejected."""


class VoidRoundError(FedcliError, RuntimeError):
    """A round that ends without a release, with the reason; the model stays as it was and the run goes on."""


def require_positive(name: str, value: float) -> None:
    """Refuse a parameter that is not above 0."""
    if not value > 0:
        raise ConfigError(f"{name} is a number above 0; received {value}.", key=name)


def require_share(name: str, value: float) -> None:
    """Refuse a parameter that does not lie in [0, 1)."""
    if not 0 <= value < 1:
        raise ConfigError(f"{name} lies in [0, 1); received {value}.", key=name)
