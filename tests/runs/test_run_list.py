"""The runs in a folder, and how a person names one."""

import os
import shutil
from pathlib import Path

import pytest
from kept_runs import CONFIG, make_run

from fedcli import config
from fedcli.core.errors import ConfigError
from fedcli.runs import run_list
from fedcli.runs.addresses import find_run
from fedcli.runs.run_list import list_runs, proquint, short_name
from fedcli.store.files import locks


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """Three runs, begun one second after the other; the second one stopped after round 2 of 4."""
    root = tmp_path_factory.mktemp("three") / "runs"
    for number, (name, rounds) in enumerate([("first", 4), ("second", 2), ("third", 4)]):
        config = f"name: {name}\nrounds: 4\ndata: {{name: digits, partition: {{name: iid, clients: 2}}}}\nmodel: mlp\n"
        run = make_run(root / name, rounds, config=config, run=name)
        os.utime(run / "environment.json", (1_000_000 + number,) * 2)
    (root / "notes").mkdir()
    return root


@pytest.fixture
def root(whole, tmp_path):
    return Path(shutil.copytree(whole, tmp_path / "runs"))


def test_the_newest_is_number_one_and_other_folders_are_no_runs(root):
    runs = list_runs(root)
    assert [(each.number, each.folder.name) for each in runs] == [(1, "third"), (2, "second"), (3, "first")]
    assert [each.summary.name for each in runs] == ["third", "second", "first"]
    assert runs[0].summary.figures.column == "test/loss"


def test_states_are_told_apart(root):
    (root / "first/config.yaml").write_text("rounds: [")
    handle = locks.hold(root / "third")
    states = {each.folder.name: each.state for each in list_runs(root)}
    locks.release(handle)
    assert states == {"third": "running", "second": "interrupted", "first": "damaged"}
    assert list_runs(root)[0].state == "done"


def test_a_config_as_a_run_writes_it_is_summed_up_without_its_parts(tmp_path, monkeypatch):
    text = config.dump(config.loads(CONFIG).experiment)
    with monkeypatch.context() as patch:
        # The slow way, which loads every part that a config can name.
        patch.setattr(config, "loads", lambda *_args, **_rest: pytest.fail("the whole config was read"))
        (fast,) = list_runs(make_run(tmp_path / "fast/run", 2, config=text).parent)
    (slow,) = list_runs(make_run(tmp_path / "slow/run", 2, config=CONFIG).parent)
    assert fast.summary == slow.summary
    assert fast.summary.strategy == "weighted"


def test_a_folder_that_does_not_exist_has_no_runs(tmp_path):
    assert list_runs(tmp_path / "runs") == []


def test_words_are_those_of_the_paper():
    # 127.0.0.1, the first example of arXiv:0901.4016.
    assert [proquint(0x7F00), proquint(0x0001)] == ["lusab", "babad"]


@pytest.mark.parametrize(
    ("said", "name"),
    [("1", "third"), ("3", "first"), ("last", "third"), ("last:second", "second"), ("second", "second")],
)
def test_a_run_is_found_by_number_by_last_and_by_folder(root, said, name):
    assert find_run(said, root) == root / name


def test_a_short_name_may_be_cut_as_long_as_it_is_the_only_one(root, monkeypatch):
    short = short_name("second")
    assert find_run(short, root) == find_run(short[:3], root) == root / "second"
    monkeypatch.setattr(run_list, "short_name", lambda run: f"babab-{run}")
    with pytest.raises(ConfigError, match=r"'babab' could be babab-third, babab-second, babab-first\."):
        find_run("babab", root)


def test_a_path_goes_before_a_number(root, monkeypatch):
    monkeypatch.chdir(root)
    (root / "1").mkdir()
    assert find_run("1", root) == Path("1")


@pytest.mark.parametrize(
    ("said", "problem"),
    [
        ("4", "there is no run number 4 in .*, which has 3"),
        ("last:fourth", "there is no run of a config named 'fourth'"),
        ("thrid", "thrid is not a run directory.*\nDid you mean third\\?"),
    ],
)
def test_a_run_that_does_not_exist_is_a_sentence_with_the_way_out(root, said, problem):
    with pytest.raises(ConfigError, match=problem) as found:
        find_run(said, root)
    assert "`fedcli runs` lists them." in str(found.value)
