"""The page for newcomers: its commands work one after another, as a newcomer types them."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from pages import ROOT, blocks

HERE = [block for block in blocks() if block.page == "docs/getting_started.md"]
COMMANDS = [
    line
    for block in HERE
    if block.language == "sh"
    for line in block.text.splitlines()
    if line.startswith("fedcli ")
]


@pytest.mark.slow
def test_the_commands_of_getting_started_work_in_their_order(tmp_path):
    (tmp_path / "configs").symlink_to(ROOT / "configs")
    # The command of this environment, and fedcli of this checkout.
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    environment = {**os.environ, "PATH": path, "PYTHONPATH": str(ROOT)}
    assert len(COMMANDS) > 10
    # What the page lets a newcomer save and run before: the table and its config.
    (config,) = [block.text for block in HERE if block.text.startswith("name: tumours")]
    (tmp_path / "tumours.yaml").write_text(config)
    (script,) = [block.text for block in HERE if block.language == "python"]
    subprocess.run([sys.executable, "-c", script], cwd=tmp_path, env=environment, check=True)
    for command in COMMANDS:
        done = subprocess.run(
            ["bash", "-c", command],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            timeout=1800,
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
        assert "Traceback" not in done.stderr
    assert len((tmp_path / "predictions.csv").read_text().splitlines()) == 9
    # Two runs of the quickstart, one of the own table, and a sweep.
    assert len(list((tmp_path / "runs").iterdir())) == 4
