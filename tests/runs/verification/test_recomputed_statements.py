"""privacy.json and encryption.json are made again from the config and the rounds, and other files are named."""

import json
from pathlib import Path

import pytest

from fedcli import config
from fedcli.core.metrics import jsonable
from fedcli.experiment.protection.encryption import described
from fedcli.experiment.protection.privacy_document import privacy_document, private_plan
from fedcli.privacy import RunFacts
from fedcli.runs.verification.chain_links import Link
from fedcli.runs.verification.not_covered import not_covered
from fedcli.runs.verification.plan_checks import checked_plan
from fedcli.runs.verification.planned_run import read_recipe
from fedcli.runs.verification.recomputed_statements import checked_statements, checked_top_level, differences

CONFIG = """
rounds: 4
data: {name: digits, partition: {name: iid, clients: 8}}
model: {name: logistic}
strategy: {name: dp-clipped, clip_norm: 1.0, noise_multiplier: 2.0, delta: 1.0e-3}
cohort: full
fixed_point: {bits: 16}
"""
LAST = Link(2, Path("checkpoints/round-00002"), "manifest.json", None, "", None)
ENVIRONMENT = {"run": "a run", "num_clients": 8, "protocol": 2}


def put(run, name, content):
    (run / name).write_text(json.dumps(jsonable(content), indent=1) + "\n")


def written(run, *overrides):
    """The files of a run after two rounds, as far as statements are made of them."""
    experiment = config.loads(CONFIG, "a config", overrides).experiment
    (run / "config.yaml").write_text(config.dump(experiment))
    put(run, "environment.json", ENVIRONMENT)
    recipe = read_recipe(run)
    plan, facts = private_plan(recipe.protocol, 8), RunFacts.of(ENVIRONMENT)
    records = [{"round": 1, "test/loss": 2.0}, {"round": 2, "test/loss": 1.0}]
    made = privacy_document(plan, facts, releases=2, records=records)
    if made is not None:
        records[-1]["epsilon"] = made["epsilon"]
        put(run, "privacy.json", privacy_document(plan, facts, releases=2, records=records))
    (run / "metrics.jsonl").write_text("".join(json.dumps(each) + "\n" for each in records))
    if recipe.protocol.encryption is not None:
        put(run, "encryption.json", described(recipe.protocol.encryption, recipe.protocol.strategy))
    return run


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    return written(tmp_path_factory.mktemp("stated"))


@pytest.fixture
def run(original, tmp_path):
    for path in original.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    return tmp_path


def found(run):
    findings = [*checked_statements(run, read_recipe(run), LAST)]
    return [each.sentence for each in findings if not each.holds], [
        each.sentence for each in findings if each.unchecked
    ]


def edit(run, name, **changes):
    said = json.loads((run / name).read_text())
    put(run, name, {**said, **changes})


def test_statements_as_a_run_writes_them_hold(run):
    assert found(run) == ([], [])


@pytest.mark.parametrize(
    "changes",
    [
        {"epsilon": 0.01},
        {"delta": 1e-9},
        {"mechanism": "something better"},
        {"sampling": {"scheme": "poisson"}},
        {"not_covered": []},
        {"rounds": 1},
    ],
)
def test_a_statement_of_something_else_is_found(run, changes):
    edit(run, "privacy.json", **changes)
    (failure,), _ = found(run)
    assert failure.startswith("privacy.json does not say what follows from the config and the rounds: ")
    assert all(name in failure for name in changes)


def test_an_epsilon_of_the_log_that_is_not_that_of_the_rounds_is_found(run):
    text = (run / "metrics.jsonl").read_text()
    right = json.loads((run / "privacy.json").read_text())["epsilon"]
    (run / "metrics.jsonl").write_text(text.replace(str(right), "0.01"))
    edit(run, "privacy.json", epsilon_after_round={"2": 0.01})
    (failure,), _ = found(run)
    assert failure == f"metrics.jsonl has epsilon 0.01 after round 2; it is {right}."


def test_a_statement_that_is_missing_or_that_nothing_is_behind_is_found(run, tmp_path_factory):
    (run / "privacy.json").unlink()
    put(run, "encryption.json", {"name": "secagg"})
    failures, _ = found(run)
    assert failures == [
        "encryption.json exists; the config encrypts nothing.",
        "privacy.json is missing; the config is that of a private run.",
    ]
    plain = written(tmp_path_factory.mktemp("plain"), "strategy=mean", "fixed_point.clip_norm=1.0")
    put(plain, "privacy.json", {"epsilon": 0.01})
    assert found(plain)[0] == ["privacy.json exists; nothing is noised."]


def test_a_statement_of_an_earlier_format_may_be_larger_and_not_smaller(run):
    said = json.loads((run / "privacy.json").read_text())
    older = {key: value for key, value in said.items() if key not in ("format", "meaning", "planned")}
    older |= {"mechanism": "older words", "a name of its own": 1}
    put(run, "privacy.json", {**older, "epsilon": said["epsilon"] * 1.2})
    assert found(run)[0] == ["privacy.json has no format; only runs of protocol 1 wrote it without one."]
    put(run, "environment.json", {key: value for key, value in ENVIRONMENT.items() if key != "protocol"})
    failures, (left,) = found(run)
    assert failures == []
    assert "what privacy.json says beyond unit, " in left
    assert "a name of its own" not in left
    put(run, "privacy.json", {**older, "epsilon": said["epsilon"] / 2})
    (failure,), _ = found(run)
    assert failure.endswith(": epsilon.")


def test_of_the_second_format_all_but_its_other_sentences_are_compared(run):
    edit(run, "privacy.json", format=2, meaning=["other words"], weaker_epsilons={})
    failures, (left,) = found(run)
    assert failures == []
    assert "meaning" in left
    edit(run, "privacy.json", epsilon=0.01)
    assert [each.endswith(": epsilon.") for each in found(run)[0]] == [True]
    edit(run, "privacy.json", format=99)
    assert "format" in found(run)[0][0]


def test_the_figures_of_an_encryption_are_planned_again(tmp_path):
    run = written(tmp_path, "encryption=secagg")
    assert found(run) == ([], [])
    edit(run, "encryption.json", min_clients=1)
    assert found(run)[0] == [
        "encryption.json does not say what follows from the config and the rounds: min_clients."
    ]
    # An older run may have been planned by other rules; its statement is not called right.
    put(run, "environment.json", {key: value for key, value in ENVIRONMENT.items() if key != "protocol"})
    failures, unchecked = found(run)
    assert not any("encryption.json" in each for each in failures)
    assert any("encryption.json, of min_clients" in each for each in unchecked)


def test_other_files_are_named_and_those_of_other_tools_are_not(run):
    for name in ("notes.txt", "privacy.json.old", "results.csv", "report.html", ".privacy.json.tmp"):
        (run / name).touch()
    assert [each.file for each in checked_top_level(run)] == ["notes.txt", "privacy.json.old"]
    assert all(each.holds for each in checked_top_level(run))


def test_numbers_may_be_rounded_and_nothing_else_may_differ():
    said = {"a": [1.0, {"b": "x"}], "c": None, "d": 1}
    assert differences(said, {"a": [1.0 + 1e-9, {"b": "x"}], "c": None, "d": 1}, 1e-6) == []
    assert differences(said, {"a": [1.1, {"b": "x"}], "c": 0, "d": True}, 1e-6) == ["a", "c", "d"]
    assert differences(said, {"a": said["a"], "c": None}, 1e-6) == ["d"]


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ("{name: synthetic, clients: 8, partition: natural}", [True, ""]),
        ("{name: synthetic, clients: 80, partition: natural}", [False, "distributes data among 80."]),
        ("{name: digits, partition: {name: iid, clients: 80}}", [False, "distributes data among 80."]),
        (
            "{name: csv, path: a.csv, target: y, client_column: c, partition: natural}",
            [True, "on which epsilon rests"],
        ),
        ("{name: 'x:y', clients: 8, partition: natural}", [True, "on which epsilon rests"]),
    ],
)
def test_the_population_on_which_epsilon_rests_is_compared_or_named(run, data, said):
    experiment = config.loads(CONFIG, "a config", [f"data={data}"], imports=False).experiment
    (run / "config.yaml").write_text(config.dump(experiment))
    recipe = read_recipe(run)
    findings = [
        each for each in checked_plan(run, recipe, [], is_kept=False) if each.file == "environment.json"
    ]
    assert [all(each.holds for each in findings), bool(findings)] == [said[0], bool(said[1])]
    assert all(said[1] in each.sentence for each in findings)
    assert any(
        "8 clients exist" in each for each in not_covered(recipe, has_proofs=False, num_pruned=0, size=None)
    )
