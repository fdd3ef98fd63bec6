"""A run of somebody else in every command that opens one: nothing that its config names is imported or called."""

import functools
import importlib
import sys

import pytest
from kept_runs import make_run
from typer.testing import CliRunner

from fedcli.cli.app import app

OF_PYTHON = (
    "os:abort", "os:_exit", "subprocess:run", "http.server:test", "pdb:set_trace", "signal:pause", "time:sleep",
    "shutil:rmtree", "code:interact", "webbrowser:open",
)  # fmt: skip
BESIDE = "a_strangers_own"
KEYS = (
    "data", "data.partition", "model", "client.optimizer", "client.schedule", "cohort", "devices",
    "strategy.aggregator", "callbacks.0", "executor",
)  # fmt: skip
ASKS = {
    "evaluate": ["evaluate", "RUN"],
    "resume": ["run", "--resume", "RUN"],
    "check": ["check", "RUN"],
    "predict": ["predict", "RUN", "rows.csv"],
    "export": ["export", "RUN", "--format", "keras"],
    "audit": ["audit", "RUN"],
    "partition": ["partition", "RUN"],
}
"""The commands that need what a config names, and take --trust-code."""
NEVER = {
    "show": ["show", "RUN"],
    "report": ["report", "RUN"],
    "plot": ["plot", "RUN"],
    "compare": ["compare", "RUN"],
    "runs": ["runs", "--folder", "."],
    "verify": ["verify", "RUN"],
    "head": ["head", "RUN"],
    "privacy": ["privacy", "RUN"],
    "document": ["privacy", "RUN", "--document", "privacy.md"],
    "sweep": ["sweep", "RUN", "seed=1,2"],
}
"""The commands that need nothing of it."""


def noted(seen, name, whole, *args, **more):
    # fedcli asks git for commits, and a picture for fonts: a command as a list, which no config can give.
    if name == "subprocess:run" and args and isinstance(args[0], list):
        return whole(*args, **more)
    return seen.append(name)


def config_of(names):
    data, partition, model, optimizer, schedule, cohort, devices, aggregator, callback, executor = names
    return f"""\
rounds: 4
data: {{name: '{data}', partition: {{name: '{partition}'}}}}
model: '{model}'
client: {{optimizer: '{optimizer}', schedule: '{schedule}'}}
cohort: '{cohort}'
devices: '{devices}'
strategy: {{aggregator: '{aggregator}'}}
callbacks: ['{callback}']
executor: '{executor}'
"""


@pytest.fixture
def called(tmp_path, monkeypatch):
    """What is called of the ten functions, or imported from the module beside the run."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "rows.csv").write_text("x\n1\n")
    (tmp_path / f"{BESIDE}.py").write_text("raise RuntimeError('it ran')\n")
    seen = []
    for name in OF_PYTHON:
        module, _, function = name.partition(":")
        there, made = importlib.import_module(module), functools.partial(noted, seen, name)
        # Functions of Python are patched where they are; whoever calls one is noted and lives on.
        monkeypatch.setattr(there, function, functools.partial(made, getattr(there, function)))
    yield seen
    sys.modules.pop(BESIDE, None)


def ran(command, folder, names, *more):
    run = make_run(folder / "run", rounds=1, config=config_of(names))
    words = [str(run) if word == "RUN" else word for word in command]
    return CliRunner().invoke(app, [*words, *more])


@pytest.mark.parametrize("command", [*ASKS, *NEVER])
def test_a_run_that_names_ten_functions_of_python_calls_none(command, called, tmp_path):
    ended = ran({**ASKS, **NEVER}[command], tmp_path, OF_PYTHON)
    assert called == []
    assert "Traceback" not in ended.output
    assert ended.exception is None or isinstance(ended.exception, SystemExit)
    if command in ASKS:
        assert ended.exit_code == 2, ended.output
        assert f"imports {OF_PYTHON[0]} for data" in ended.output


@pytest.mark.parametrize("command", ASKS)
def test_not_even_a_user_who_trusts_it_calls_one(command, called, tmp_path):
    ended = ran(ASKS[command], tmp_path, OF_PYTHON, "--trust-code")
    assert called == []
    assert ended.exit_code == 2
    assert "of Python's standard library" in ended.output


@pytest.mark.parametrize("command", [*ASKS, *NEVER])
def test_a_module_beside_a_run_is_not_imported(command, called, tmp_path):
    ended = ran({**ASKS, **NEVER}[command], tmp_path, [f"{BESIDE}:part"] * len(KEYS))
    assert "it ran" not in ended.output
    assert BESIDE not in sys.modules
    if command in ASKS:
        assert ended.exit_code == 2
        # What a command does not use it does not ask for.
        for key in ("data", "model"):
            assert f"imports {BESIDE}:part for {key}" in ended.output


def test_a_user_who_trusts_it_imports_it(called, tmp_path):
    ended = ran(ASKS["check"], tmp_path, [f"{BESIDE}:part"] * len(KEYS), "--trust-code")
    assert "it ran" in ended.output
