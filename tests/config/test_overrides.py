"""Overrides, `key.sub=value` each: the same rules as in the file, at a place of their own."""

import pytest

from fedcli.config import Part

from .fakes import MINIMAL, config, minimal, report


def experiment(*overrides, text=MINIMAL):
    return config(text, *overrides).experiment


def test_scalars():
    read = experiment(
        "rounds=7", "seed = 3", "name=no", "data.partition.clients=5", "evaluation.clients=true"
    )
    assert (read.rounds, read.seed, read.name, read.evaluation.clients) == (7, 3, "no", True)
    assert read.data.partition == Part("iid", {"clients": 5})


def test_the_last_one_counts():
    assert experiment("rounds=7", "rounds=8").rounds == 8


def test_a_whole_part():
    assert experiment("cohort={name: uniform, size: 3}").cohort == Part("uniform", {"size": 3})
    assert experiment("model=mlp").model.part.name == "mlp"


def test_a_value_may_contain_an_equals_sign():
    assert (
        experiment("data={name: blobs, path: a=b, partition: {name: iid, clients: 2}}").data.part.parameters[
            "path"
        ]
        == "a=b"
    )


def test_a_list_s_entry():
    text = minimal(model="{name: mlp, hidden: [10, 20]}")
    assert experiment("model.hidden.1=5", text=text).model.part.parameters["hidden"] == (10, 5)


def test_a_bare_name_takes_parameters():
    assert experiment("model.hidden=[3]").model.part.parameters["hidden"] == (3,)


def test_a_default_part_keeps_its_other_parameters():
    assert experiment("client.optimizer.momentum=0.9").client.optimizer == Part(
        "sgd", {"learning_rate": 0.05, "momentum": 0.9}
    )
    assert "client.optimizer.learning_rate is missing" in report(MINIMAL, "client.optimizer.name=adam")


def test_nothing_is_null():
    assert experiment("model.trainable=").model.trainable is None


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        (
            "rounds=abc",
            "override rounds=abc  rounds = 'abc'\n  an integer is expected; received the text 'abc'.",
        ),
        (
            "rounds=3.0",
            "override rounds=3.0  rounds = 3.0\n  an integer is expected; received 3.0.\n  Write 3.",
        ),
        ("ruonds=3", "Did you mean rounds?"),
        ("rounds", "override rounds\n  an override is key=value, with dots between keys."),
        ("=3", "an override is key=value"),
        ("a..b=3", "an override is key=value"),
        ("", "an override is key=value"),
        (
            "rounds.x=3",
            "override rounds.x=3  rounds.x\n  rounds is 3, which has no keys.\n  Set rounds itself.",
        ),
        ("model={name: mlp, hidden: [x]}", "override model={name: mlp, hidden: [x]}  model.hidden.0 = 'x'"),
        ("data.preprocessing.0=flatten", "data.preprocessing = {0: 'flatten'}\n  a list of names"),
        ("rounds=[1", "override rounds=[1  is not valid YAML"),
        ("rounds=!!int 3", "override rounds=!!int 3  has the tag !!int"),
        ("model={name: mlp, name: mlp}", "model.name is repeated"),
        ("client.clip_gradient_norm=.nan", "client.clip_gradient_norm = .nan"),
        ("name=" + "x" * 100, "override name=" + "x" * 72 + "...  name ="),
        ("rounds=" + "[" * 50, "at most 32 levels"),
        (".".join("a" * 5000) + "=", "an override is key=value"),
    ],
)
def test_problems_are_located_at_the_override(override, expected):
    said = report(MINIMAL, override)
    assert said.startswith("override")
    assert expected in said
    assert "\n\n" not in said


@pytest.mark.parametrize(
    ("override", "expected"),
    [("model.hidden.2=1", "model.hidden is a list of 2 entries; 2 is not an index of it.\n  Use an index from 0 to 1."),
     ("model.hidden.x=1", "x is not an index of it")],
)  # fmt: skip
def test_an_index_that_is_none(override, expected):
    assert expected in report(minimal(model="{name: mlp, hidden: [10, 20]}"), override)


def test_problems_of_the_file_and_of_overrides_come_together_the_file_s_first():
    said = report(minimal("seed: x"), "rounds=0", "nonsense")
    assert said.split("  ")[0] == "c.yaml:4:1"
    assert said.index("seed = 'x'") < said.index("override nonsense") < said.index("override rounds=0")
