"""`key=value` after a config, in every command that reads one, and what happens to one that a shell has split."""

import json

import pytest
import yaml

PRIVATE = "strategy={name: dp-clipped, clip_norm: 1.0, noise_multiplier: 4.0, delta: 1e-3}"


def shown(fedcli, *arguments):
    result = fedcli("show", "tiny.yaml", *arguments)
    assert (result.exit_code, result.stderr) == (0, "")
    return yaml.safe_load(result.stdout)


def test_it_replaces_values_lists_and_mappings(fedcli):
    made = shown(fedcli, "rounds=5", "model={name: mlp, hidden: [3, 4]}", "client.epochs=3", "name='a'")
    assert (made["rounds"], made["client"]["epochs"], made["name"]) == (5, 3, "a")
    assert made["model"]["hidden"] == [3, 4]


def test_it_is_the_same_as_set_which_is_applied_last(fedcli):
    assert shown(fedcli, "rounds=5", "seed=1") == shown(fedcli, "--set", "rounds=5", "--set", "seed=1")
    assert shown(fedcli, "--set", "rounds=5", "rounds=6", "seed=1")["rounds"] == 5


@pytest.mark.parametrize("command", ["show", "check", "run", "audit", "privacy"])
def test_every_command_that_reads_a_config_takes_it_and_locates_its_errors(fedcli, command):
    said = [
        fedcli(command, "tiny.yaml", *change) for change in (["client.epocs=3"], ["--set", "client.epocs=3"])
    ]
    assert [(result.exit_code, result.stdout) for result in said] == [(2, "")] * 2
    assert said[0].stderr == said[1].stderr
    assert said[0].stderr.startswith("override client.epocs=3  client.epocs = 3\n")
    assert "Did you mean epochs?" in said[0].stderr


@pytest.mark.parametrize("command", ["show", "check", "run", "audit", "privacy"])
def test_help_names_both_ways(fedcli, command):
    text = fedcli(command, "--help").stdout
    assert "KEY=VALUE" in text.split("Options")[0]
    assert "--set" in text


def test_check_and_privacy_use_it(fedcli):
    facts = json.loads(fedcli("check", "tiny.yaml", PRIVATE, "--json", "rounds=1").stdout)
    assert (facts["rounds"], facts["delta"]) == (1, 1e-3)
    planned = json.loads(fedcli("privacy", "tiny.yaml", PRIVATE, "rounds=1", "--json").stdout)
    assert planned["epsilon"] == facts["epsilon"]


@pytest.mark.parametrize(
    ("words", "named", "meant"),
    [
        (["rounds", "=", "5"], "rounds", "rounds=5"),
        (["rounds", "=5"], "rounds", "rounds=5"),
        (["rounds=", "5"], "5", "rounds=5"),
        (["seed=1", "rounds", "=", "5"], "rounds", "rounds=5"),
        (
            ["strategy={name:", "fedprox,", "mu:", "0.1}", "seed=1"],
            "fedprox,",
            "'strategy={name: fedprox, mu: 0.1}'",
        ),
        (["model.hidden=[1,", "2]"], "2]", "'model.hidden=[1, 2]'"),
    ],
)
def test_words_that_a_shell_has_split_are_put_together_in_the_hint(fedcli, words, named, meant):
    result = fedcli("show", "tiny.yaml", *words)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == (
        f"{named}  is not key=value\n  an argument after the config is key=value, without spaces around the `=`.\n"
        f"  Write it as one argument: {meant}\n"
    )


@pytest.mark.parametrize("word", ["other.yaml", "rounds", "=5", "="])
def test_a_word_that_no_split_explains_gets_an_example(fedcli, word):
    result = fedcli("check", "tiny.yaml", word)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith(f"{word}  is not key=value\n")
    assert "Write it as in rounds=10." in result.stderr


def test_the_config_comes_first(fedcli):
    result = fedcli("run", "rounds=5", "tiny.yaml")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "rounds=5  is not a config\n  the config comes first, before any key=value." in result.stderr


def test_a_file_with_an_equals_sign_in_its_name_is_a_config(fedcli, tmp_path):
    (tmp_path / "tiny.yaml").rename(tmp_path / "lr=1.yaml")
    assert yaml.safe_load(fedcli("show", "lr=1.yaml", "rounds=5").stdout)["rounds"] == 5


@pytest.mark.parametrize("change", [["rounds=3"], ["--set", "rounds=3"]])
def test_a_run_that_exists_keeps_its_privacy(fedcli, tmp_path, change):
    (tmp_path / "run").mkdir()
    result = fedcli("privacy", "run", *change)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "KEY=VALUE" in result.stderr
