"""The command line, one command per file. This is the only code that imports typer or rich."""

import gc
import os

_INTERRUPTED = 130


def main() -> None:
    """Entry point of the `fedcli` command."""
    from fedcli.core.tensorflow_log import hide_log

    # Its lines would break the live view.
    hide_log()
    # A custom dataset may use TensorFlow before the executor sets the number of threads, which is then fixed.
    os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")
    # Nearly all that imports make stays: to look for garbage after every 700 objects takes a tenth of their time.
    gc.set_threshold(10_000)
    from fedcli.cli.lasting_output import open_standard_streams

    open_standard_streams()
    from fedcli.cli.app import app

    try:
        app()
    except SystemExit as end:
        if end.code == _INTERRUPTED:
            _leave_what_hangs()
        raise


def _leave_what_hangs() -> None:
    """End the process at once if a client still trains in it, for which Python would wait for ever.

    Everything that is durable was written and synced before.
    """
    import contextlib
    import sys
    import threading

    workers = [each for each in threading.enumerate() if each.name.startswith("fedcli-client")]
    for each in workers:
        # One that only waits for work ends by itself.
        each.join(timeout=1.0)
    if any(each.is_alive() for each in workers):
        with contextlib.suppress(OSError, ValueError):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(_INTERRUPTED)
