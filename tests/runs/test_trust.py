"""Runs of somebody else: nothing that their config names is imported or opened before the user says so."""

import json
import sys

import pytest
from kept_runs import make_run
from typer.testing import CliRunner

from fedcli.cli.app import app
from fedcli.config import loads
from fedcli.core.errors import ConfigError
from fedcli.runs import trust
from fedcli.runs.run_directory import open_run
from fedcli.runs.run_sources import read_source, sources_of
from fedcli.runs.trust import mark_of, trusting
from fedcli.store import directory

OF_PYTHON = (
    "os:abort", "subprocess:run", "http.server:test", "pdb:set_trace", "signal:pause", "os:_exit", "builtins:input",
    "sys:exit", "time:sleep", "shutil:rmtree", "antigravity:geohash",
)  # fmt: skip
CUSTOM = """\
rounds: 4
data: {name: digits, partition: {name: iid, clients: 2}}
model: {name: 'a_strangers:model'}
callbacks: ['a_strangers:callback']
"""
SECRET = """\
rounds: 4
data: {name: csv, path: /etc/passwd, target: x, partition: {name: iid, clients: 2}}
model: mlp
"""

WEIGHTS = """\
rounds: 4
data: {name: digits, partition: {name: iid, clients: 2}}
model: {name: mlp, initial_weights: /etc/passwd}
"""


@pytest.fixture
def beside(tmp_path, monkeypatch):
    """A module beside the run that must not be imported."""
    (tmp_path / "a_strangers.py").write_text("raise RuntimeError('it ran')\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def stranger(folder, config=CUSTOM, **environment):
    make_run(folder, rounds=1, config=config)
    path = folder / "environment.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **environment}, indent=1) + "\n")
    return folder


@pytest.mark.parametrize("name", OF_PYTHON)
def test_no_function_of_the_standard_library_is_called(name, tmp_path):
    text = f"rounds: 4\ndata: {{name: '{name}'}}\nmodel: {{name: '{name}'}}\ncallbacks: ['{name}']\n"
    run = stranger(tmp_path / "run", text)
    with pytest.raises(ConfigError, match=r"imports .* for model[\s\S]*--trust-code"):
        read_source(run)
    # Also with the flag: nothing there is a component.
    with trusting(), pytest.raises(ConfigError, match="standard library"):
        read_source(run)
    shown = CliRunner().invoke(app, ["show", str(run)])
    assert shown.exit_code == 0
    assert f"# Not imported without --trust-code: {name}." in shown.stdout
    assert "antigravity" not in sys.modules


@pytest.mark.parametrize("command", [["check"], ["partition"], ["audit"]])
def test_a_command_says_what_a_run_would_import(command, beside):
    ended = CliRunner().invoke(app, [*command, str(stranger(beside / "run"))])
    assert ended.exit_code == 2
    for said in ("imports a_strangers:model for model", "imports a_strangers:callback for callbacks.0"):
        assert said in ended.stderr
    assert "it ran" not in ended.output


def test_python_asks_too(beside):
    run = stranger(
        beside / "run",
        CUSTOM,
        sources={"data": None, "modules": {"a_strangers": str(beside / "a_strangers.py")}},
    )
    with pytest.raises(ConfigError, match=r"from .*a_strangers\.py"):
        open_run(run).model()
    with pytest.raises(ConfigError, match="it ran"):
        open_run(run, trust_code=True).model()
    # Callbacks are not needed to evaluate, and are not even imported.
    text = CUSTOM.replace("{name: 'a_strangers:model'}", "mlp")
    source = read_source(stranger(beside / "other", text), overrides=[("callbacks", [])])
    assert source.experiment.callbacks == ()


def test_files_that_a_run_names_are_not_opened(tmp_path):
    with pytest.raises(ConfigError, match=r"opens /etc/passwd for data\.path"):
        read_source(stranger(tmp_path / "data", SECRET))
    run = stranger(tmp_path / "weights", WEIGHTS)
    with pytest.raises(ConfigError, match=r"opens /etc/passwd for model\.initial_weights"):
        read_source(run)
    # A run that goes on takes its own.
    read_source(run, goes_on=True)


def test_a_run_of_ones_own_has_a_mark_that_nobody_else_can_make(tmp_path, monkeypatch):
    text = SECRET.replace("/etc/passwd", str(tmp_path / "table.csv"))
    said = sources_of(loads(text).experiment, text, "kept")
    own = stranger(tmp_path / "own", text, **said)
    assert read_source(own).experiment.data.part.name == "csv"
    # Another config under the same mark, another place of the data, another user.
    (own / "config.yaml").write_text(text.replace("rounds: 4", "rounds: 5"))
    with pytest.raises(ConfigError, match="is not known as a run of your own"):
        read_source(own)
    moved = {**said, "sources": {**said["sources"], "data": "/etc/passwd"}}
    with pytest.raises(ConfigError, match="is not known as a run of your own"):
        read_source(stranger(tmp_path / "moved", text, **moved))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "of somebody else"))
    with pytest.raises(ConfigError, match="is not known as a run of your own"):
        read_source(stranger(tmp_path / "theirs", text, **said))


def test_a_run_of_built_in_components_has_no_mark_and_needs_none(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "settings"))
    text = directory.config_text(make_run(tmp_path / "run", rounds=1))
    assert "mark" not in sources_of(loads(text).experiment, text, "kept")
    read_source(tmp_path / "run")
    assert not (tmp_path / "settings").exists()


def test_the_key_is_made_once_for_its_owner_only(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    first = mark_of("run", "text", {})
    (key,) = (tmp_path / "fedcli").iterdir()
    assert key.stat().st_mode & 0o777 == 0o600
    trust._key.cache_clear()
    assert mark_of("run", "text", {}) == first
    # A key that others can read may be theirs.
    key.chmod(0o644)
    trust._key.cache_clear()
    assert mark_of("run", "text", {}) != first
