"""The ready configs: all are listed with a sentence, copied as they are, and none overwrites a file."""

import re
from pathlib import Path

import pytest
import yaml

from fedcli.cli.templates import copy_template, templates
from fedcli.config import commented
from fedcli.core.errors import ConfigError

CONFIGS = Path(__file__).parents[2] / "configs"


def test_every_file_in_configs_is_a_template_by_its_name():
    names = [template.name for template in templates()]
    assert sorted(names) == sorted(path.stem for path in CONFIGS.rglob("*.yaml"))
    assert len(names) == len(set(names))
    assert {"quickstart", "krum", "backdoor"} <= set(names)


@pytest.mark.parametrize("template", templates(), ids=lambda template: template.name)
def test_every_template_begins_with_a_sentence_about_itself(template):
    assert template.path.read_text(encoding="utf-8").startswith("# ")
    assert len(template.summary) > 10
    assert not template.summary.startswith("#")


@pytest.mark.parametrize("template", templates(), ids=lambda template: template.name)
def test_a_copy_is_the_same_experiment_with_a_comment_on_each_key(template):
    text = template.path.read_text(encoding="utf-8")
    copied = commented(text)
    assert yaml.safe_load(copied) == yaml.safe_load(text)
    # Nothing but comments and one empty line is added.
    lines = [line for line in copied.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    assert lines == [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    assert max(len(line) for line in set(copied.splitlines()) - set(text.splitlines())) <= 100
    before = ""
    for line in copied.splitlines():
        if re.match(r" *(- )?\w+:", line):
            assert before.lstrip().startswith("#"), line
        before = line


def test_keys_in_braces_are_explained_above_their_line(tmp_path):
    copy_template("quickstart", tmp_path / "mine.yaml")
    copied = (tmp_path / "mine.yaml").read_text()
    assert copied.startswith("# FedAvg on scikit-learn's digits")
    assert "the line `# yaml-language-server: $schema=fedcli.schema.json`" in copied
    assert (
        """\
# Number of training rounds.
rounds: 30
"""
        in copied
    )
    assert (
        """\
  #     unskewed.
  #   clients: number of clients, at least 1.
"""
        in copied
    )


def test_an_existing_file_is_never_overwritten(tmp_path):
    target = tmp_path / "mine.yaml"
    target.write_text("precious")
    with pytest.raises(ConfigError, match=r"mine.yaml exists\.") as caught:
        copy_template("quickstart", target)
    assert "--output" in caught.value.hint
    assert target.read_text() == "precious"


def test_a_near_miss_is_met_with_the_name_that_was_meant(tmp_path):
    with pytest.raises(ConfigError, match="no ready config named 'quikstart'") as caught:
        copy_template("quikstart", tmp_path / "a.yaml")
    assert caught.value.hint == "Did you mean quickstart?"
    assert list(tmp_path.iterdir()) == []


def test_a_name_like_none_is_met_with_all_names(tmp_path):
    with pytest.raises(ConfigError) as caught:
        copy_template("zzz", tmp_path / "a.yaml")
    assert all(template.name in caught.value.hint for template in templates())


def test_a_place_that_cannot_be_written_is_an_error_of_the_user(tmp_path):
    with pytest.raises(ConfigError, match="cannot be written: No such file or directory"):
        copy_template("quickstart", tmp_path / "absent" / "a.yaml")
