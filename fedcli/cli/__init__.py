"""The command line, one command per file. This is the only code that imports typer or rich."""

import os


def main() -> None:
    """Entry point of the `fedcli` command."""
    # TensorFlow reads both variables when it is loaded. Its log lines would break the live view.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    # A custom dataset may use TensorFlow before the executor sets the number of threads, which is then fixed.
    os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")
    from fedcli.cli.lasting_output import open_standard_streams

    open_standard_streams()
    from fedcli.cli.app import app

    app()
