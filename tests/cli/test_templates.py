"""The ready configs: all are listed with a sentence, copied as they are, and none overwrites a file."""

from pathlib import Path

import pytest

from fedcli.cli.templates import copy_template, templates
from fedcli.core.errors import ConfigError

CONFIGS = Path(__file__).parents[2] / "configs"


def test_every_file_in_configs_is_a_template_by_its_name():
    assert [template.name for template in templates()] == sorted(path.stem for path in CONFIGS.glob("*.yaml"))
    assert "quickstart" in {template.name for template in templates()}


@pytest.mark.parametrize("template", templates(), ids=lambda template: template.name)
def test_every_template_begins_with_a_sentence_about_itself(template):
    assert template.path.read_text(encoding="utf-8").startswith("# ")
    assert len(template.summary) > 10
    assert not template.summary.startswith("#")


def test_a_copy_is_the_template_to_the_byte(tmp_path):
    copy_template("quickstart", tmp_path / "mine.yaml")
    assert (tmp_path / "mine.yaml").read_bytes() == (CONFIGS / "quickstart.yaml").read_bytes()


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
