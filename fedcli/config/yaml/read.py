"""Reading of config files."""

from __future__ import annotations

from pathlib import Path

from fedcli.config.problems import ConfigErrors, Place, Problem

MAX_BYTES = 1 << 20


def read(path: str | Path) -> str:
    """The text of a config file.

    Raises:
        ConfigErrors: if it does not exist, is a directory, is too large, is not UTF-8 or cannot be read.
    """
    place = Place(str(path))
    try:
        with open(path, "rb") as file:
            data = file.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        raise _unreadable(place, error) from None
    check_size(len(data), place)
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = data[: error.start].decode("utf-8-sig", "replace")
        line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
        place = Place(str(path), line, column)
        raise _stop(place, "is not UTF-8", "a config is UTF-8 text.", "Save the file as UTF-8.") from None


def check_size(num_bytes: int, place: Place) -> None:
    """Refuse a config of more than `MAX_BYTES`."""
    if num_bytes > MAX_BYTES:
        raise _stop(place, "is too large", "a config has at most 1 MiB.", "Put data into separate files.")


def _unreadable(place: Place, error: OSError | ValueError) -> ConfigErrors:
    match error:
        case FileNotFoundError():
            hint = "Check the path, or write a config to start from with `fedcli init`."
            return _stop(place, "does not exist", "a config file in YAML is expected.", hint)
        case IsADirectoryError():
            return _stop(place, "is a directory", "a config file in YAML is expected.", "Give a file in it.")
        case OSError():
            return _stop(
                place, "cannot be read", f"the operating system reports: {error.strerror}.", "Check the path."
            )
        case _:  # a null character in the path is a ValueError
            return _stop(place, "is not a path", f"Python reports: {error}.", "Check the path.")


def _stop(place: Place, received: str, expected: str, hint: str) -> ConfigErrors:
    return ConfigErrors([Problem(place, "", received, expected, hint)])
