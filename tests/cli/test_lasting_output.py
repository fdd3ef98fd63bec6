"""Output of which the reader is gone is dropped, after a sentence, and ends nothing."""

import io
import os
import subprocess
import sys

import pytest
from rich.console import Console

from fedcli.cli.lasting_output import lasting_output


def test_what_is_written_arrives(capsys):
    with lasting_output():
        Console().print("to stdout")
        Console(stderr=True).print("to stderr")
    assert capsys.readouterr() == ("to stdout\n", "to stderr\n")


def test_a_pipe_without_a_reader_is_said_once_and_ends_nothing(monkeypatch):
    reader, writer = os.pipe()
    os.close(reader)
    err = io.StringIO()
    with os.fdopen(writer, "w", buffering=1) as out:
        monkeypatch.setattr(sys, "stdout", out)
        monkeypatch.setattr(sys, "stderr", err)
        with lasting_output():
            for _ in range(3):
                print("a round")
        assert sys.stdout is out
        print("leads nowhere now")
    assert (
        err.getvalue() == "Nobody reads stdout any more. The run goes on, and its directory has everything.\n"
    )


@pytest.mark.parametrize("closed", ["<&- >&- 2>&-", "2>&-", ">&-"])
def test_a_process_without_streams_writes_into_no_file_by_mistake(tmp_path, closed):
    program = (
        "import os, sys; from fedcli.cli.lasting_output import open_standard_streams; open_standard_streams();"
        f"file = open({str(tmp_path / 'kept')!r}, 'w'); assert file.fileno() > 2; os.write(1, b'x'); os.write(2, b'x');"
        "print('said'); print('said', file=sys.stderr); file.write('whole')"
    )
    done = subprocess.run(["sh", "-c", f'exec "$0" -c "$1" {closed}', sys.executable, program], check=False)
    assert done.returncode == 0
    assert (tmp_path / "kept").read_text() == "whole"
