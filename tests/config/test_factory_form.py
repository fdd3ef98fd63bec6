"""Functions that a config may name and that are no factories: none of them is called."""

import importlib
import sys

import pytest
import user_parts

from fedcli.config import ConfigErrors, Part, installed, loads
from fedcli.config.factory_form import SUPPLIED, require_form
from fedcli.core.errors import ConfigError
from fedcli.experiment.make import make

TEXT = """\
rounds: 1
data: {name: digits, partition: {name: iid, clients: 2}}
model: mlp
"""
SECTIONS = (
    "data={{name: '{}', partition: {{name: iid, clients: 2}}}}",
    "model='{}'",
    "callbacks=['{}']",
    "strategy={{aggregator: '{}'}}",
    "executor='{}'",
)
# Each would end, stop or change something, and some by the import alone.
OF_PYTHON = (
    "os:abort", "subprocess:run", "http.server:test", "pdb:set_trace", "signal:pause", "os:_exit", "builtins:input",
    "sys:exit", "time:sleep", "shutil:rmtree", "antigravity:webbrowser.open", "this:d",
)  # fmt: skip


@pytest.mark.parametrize("section", SECTIONS)
@pytest.mark.parametrize("name", OF_PYTHON)
def test_no_function_of_the_standard_library_is_imported_or_called(name, section):
    for module in ("antigravity", "this"):
        sys.modules.pop(module, None)
    with pytest.raises(ConfigErrors, match="is of Python's standard library") as caught:
        loads(TEXT, overrides=[section.format(name)])
    assert len(caught.value.problems) == 1
    assert not {"antigravity", "this"} & sys.modules.keys()
    with pytest.raises(ConfigError, match="standard library"):
        make("cohort", Part(name))


@pytest.fixture
def module(tmp_path, monkeypatch):
    """A module of a stranger, which has functions of others and notes what is called."""
    (tmp_path / "strange.py").write_text(
        "import os, functools, sys\n"
        "from numpy import save\n"
        "called = []\n"
        "stop = functools.partial(os._exit, 1)\n"
        "def remove(path): called.append(path)\n"
        "def width(input_shape, num_outputs, width=3): called.append(width)\n"
        "def anything(*each): called.append(each)\n"
        "def unused(_dataset, generator, *, clients: int = 2): called.append(clients)\n"
        "def odd(*, size: 3 = 2): called.append(size)\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "strange", raising=False)
    yield importlib.import_module("strange")
    sys.modules.pop("strange")


@pytest.mark.parametrize(
    ("section", "factory", "said"),
    [
        ("data", "os.abort", "is of Python's standard library"),
        ("cohort", "stop", "is of Python's standard library"),
        ("data", "remove", "parameters of a factory of data are seed; those of strange:remove are path"),
        ("model", "width", "input_shape, num_outputs, or the first of them; those of strange:width are"),
        ("callbacks", "anything", r"are none; those of strange:anything are \*each"),
        ("cohort", "save", "It is not called|Python cannot say"),
    ],
)
def test_a_function_of_another_form_is_not_called(module, section, factory, said):
    with pytest.raises(ConfigError, match=said):
        make(section, Part(f"strange:{factory}"))
    override = {"data": SECTIONS[0], "model": SECTIONS[1], "callbacks": SECTIONS[2]}.get(
        section, "cohort='{}'"
    )
    with pytest.raises(ConfigErrors, match=said):
        loads(TEXT, overrides=[override.format(f"strange:{factory}")])
    assert module.called == []


def test_a_parameter_that_is_not_used_may_say_so(module):
    require_form("data.partition", "strange:unused", module.unused)
    require_form("data", "user_parts:blobs", user_parts.blobs)


def test_a_config_that_cannot_be_used_imports_nothing(module):
    sys.modules.pop("strange")
    with pytest.raises(ConfigErrors, match="rounds"):
        loads(TEXT, overrides=["rounds=0", "model='strange:width'"])
    assert "strange" not in sys.modules
    sys.modules["strange"] = module


@pytest.mark.parametrize("section", [name for name in SUPPLIED if name != "model"])
def test_built_ins_have_the_form_too(section):
    for name, factory in installed(section).items():
        require_form(section, f"fedcli:{name}", factory)
