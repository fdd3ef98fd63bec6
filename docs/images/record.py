"""The picture in README.md: `fedcli run configs/quickstart.yaml` on a terminal, as an SVG.

Run it at the root of the repository: `python docs/images/record.py`. The run it makes stays in runs/.
"""

from __future__ import annotations

import fcntl
import io
import os
import pty
import struct
import termios
from pathlib import Path

from rich.console import Console
from rich.text import Text

COMMAND = ["fedcli", "run", "configs/quickstart.yaml"]
COLUMNS, LINES = 88, 40
ERASE_LINE = "\x1b[2K"  # the live view erases its lines before it draws them again


def on_a_terminal(command: list[str]) -> str:
    """Everything that the command writes to a terminal of its own."""
    process, terminal = pty.fork()
    if process == 0:
        os.environ.update(TERM="xterm-256color", COLUMNS=str(COLUMNS), LINES=str(LINES))
        os.execvp(command[0], command)
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", LINES, COLUMNS, 0, 0))
    written = b""
    try:
        while chunk := os.read(terminal, 65536):
            written += chunk
    except OSError:
        pass  # Linux reports the end of a terminal as an error
    os.waitpid(process, 0)
    return written.decode()


def main() -> None:
    """Run the command and write what a person sees at its end."""
    seen = on_a_terminal(COMMAND).split(ERASE_LINE)[-1].replace("\r\n", "\n").rstrip()
    console = Console(record=True, width=COLUMNS, file=io.StringIO(), force_terminal=True)
    console.print(Text(f"$ {' '.join(COMMAND)}", style="bold green"))
    console.print(Text.from_ansi(seen))
    Path(__file__).with_name("quickstart.svg").write_text(
        console.export_svg(title="fedcli", unique_id="quickstart"), encoding="utf-8"
    )


if __name__ == "__main__":
    main()
