"""The custom rule in the README: it is short, keeps the laws, and can be named in a config."""

import re
from pathlib import Path

from fedcli import config
from fedcli.experiment import plan as build
from fedcli.testing import check_aggregator
from fedcli.testing.tiny import YAML

README = Path(__file__).parents[2].joinpath("README.md").read_text(encoding="utf-8")


def block(start):
    """The Python block of the README that has a line."""
    return next(text for text in re.findall(r"```python\n(.*?)```", README, re.DOTALL) if start in text)


def test_the_readmes_rule_is_under_15_lines_keeps_the_laws_and_is_named_in_a_config(tmp_path, monkeypatch):
    rule = block("def midrange")
    assert len([line for line in rule.splitlines() if line.strip() and not line.startswith("#")]) < 15
    (tmp_path / "my_rules.py").write_text(rule)
    monkeypatch.syspath_prepend(tmp_path)
    import my_rules

    check_aggregator(my_rules.midrange().aggregator, exact_order=True)
    experiment = config.loads(YAML, "tiny.yaml", ["strategy=my_rules:midrange"]).experiment
    assert build.plan(experiment).strategy.aggregator.name == "midrange"


def test_the_readmes_test_names_what_there_is(monkeypatch):
    import fedcli.testing

    for name in re.findall(r"check_\w+", README):
        assert name in fedcli.testing.__all__
    assert set(fedcli.testing.__all__) <= set(re.findall(r"check_\w+", README))
