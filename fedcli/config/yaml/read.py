"""Reading of config files."""

from __future__ import annotations

from pathlib import Path

from fedcli.config.problems import ConfigErrors, Place, Problem

MAX_BYTES = 1 << 18
"""PyYAML, which is slow, reads so many bytes of any content in less than a second."""


def read(path: str | Path) -> str:
    """The text of a config file.

    Raises:
        ConfigErrors: if it does not exist, is a directory, is too large, is not UTF-8 or cannot be read.
    """
    place = Place(str(path))
    try:
        with open(path, "rb") as file:
            # One byte more than allowed, to notice a larger file without reading all of it.
            data = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        hint = "Check the path, or write a config to start from with `fedcli init`."
        raise _stop(place, "does not exist", "a config file in YAML is expected.", hint) from None
    except IsADirectoryError:
        expected = "a config file in YAML is expected."
        raise _stop(place, "is a directory", expected, "Give a file in it.") from None
    except OSError as error:
        said = f"the operating system reports: {error.strerror}."
        raise _stop(place, "cannot be read", said, "Check the path.") from None
    except ValueError as error:  # a null character in the path
        raise _stop(place, "is not a path", f"Python reports: {error}.", "Check the path.") from None
    check_size(len(data), place)
    try:
        # Some editors begin a file with a byte order mark, which `utf-8-sig` leaves out.
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = data[: error.start].decode("utf-8-sig", "replace")
        line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
        place = Place(str(path), line, column)
        raise _stop(place, "is not UTF-8", "a config is UTF-8 text.", "Save the file as UTF-8.") from None


def check_size(num_bytes: int, place: Place) -> None:
    """Refuse a config of more than `MAX_BYTES`."""
    if num_bytes > MAX_BYTES:
        raise _stop(place, "is too large", "a config has at most 256 KiB.", "Put data into separate files.")


def _stop(place: Place, received: str, expected: str, hint: str) -> ConfigErrors:
    return ConfigErrors([Problem(place, "", received, expected, hint)])
