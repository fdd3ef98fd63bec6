"""`fedcli privacy`: numbers, configs and runs, in JSON and in words; errors are sentences."""

import json

import dp_accounting as dp
import pytest
from dp_accounting.pld import PLDAccountant
from typer.testing import CliRunner

from fedcli.cli.app import app
from fedcli.cli.privacy import Mechanism, SamplingScheme
from fedcli.config import installed
from fedcli.core.privacy_events import GaussianEvent
from fedcli.core.sampling_scheme import PrivacyTarget, Sampling
from fedcli.privacy import Promise, privacy_statement

POISSON = ["--sampling", "poisson", "--rate", "0.05", "--rounds", "100", "--delta", "1e-5"]
FIXED = ["--sampling", "uniform", "--size", "40", "--population", "1000", "--rounds", "10", "--delta", "1e-5"]
TURNS = ["--sampling", "min-separation", "--separation", "16", "--rounds", "64", "--delta", "1e-5"]


def fedcli(*arguments):
    return CliRunner().invoke(app, ["privacy", *map(str, arguments)])


def facts(*arguments):
    result = fedcli(*arguments, "--json")
    assert (result.exit_code, result.stderr) == (0, "")
    return json.loads(result.stdout)


def test_epsilon_of_a_few_numbers_is_that_of_dp_accounting():
    event = dp.PoissonSampledDpEvent(0.05, dp.GaussianDpEvent(1.0))
    direct = PLDAccountant().compose(event, 100).get_epsilon(1e-5)
    told = facts(*POISSON, "--noise-multiplier", 1)
    assert told["epsilon"] == pytest.approx(direct, rel=1e-4)
    assert (told["accountant"], told["relation"], told["unit"]) == ("pld", "add-remove", "client")


def test_a_rate_is_a_cohort_over_a_population():
    shared = ["--noise-multiplier", 2, "--rounds", 10, "--delta", 1e-5, "--sampling", "poisson"]
    by_size = facts(*shared, "--size", 50, "--population", 1000)
    assert by_size["epsilon"] == facts(*shared, "--rate", 0.05)["epsilon"]


def test_the_noise_for_an_epsilon():
    told = facts(*POISSON, "--target-epsilon", 2, "--accountant", "rdp")
    assert 2 * (1 - 1e-3) <= told["epsilon"] <= 2
    again = facts(*POISSON, "--noise-multiplier", told["noise_multiplier"], "--accountant", "rdp")
    assert again["epsilon"] == told["epsilon"]


@pytest.mark.parametrize(
    ("mechanism", "options", "unit", "relation"),
    [
        ("dp-adaptive", [*POISSON, "--count-deviation", 5], "client", "add-remove"),
        ("dp-distributed", [*FIXED, "--contributors", 30, "--dimension", 650], "client", "replace-one"),
        ("dp-local", FIXED, "client", "replace-one"),
        ("dp-ftrl", [*TURNS, "--restart-every", 32], "client", "zero-out"),
        ("dp-banded", [*TURNS, "--bands", 16], "client", "zero-out"),
        ("dp-sgd", [*FIXED, "--batch-rate", 0.1, "--steps", 5], "example", "add-remove"),
        ("privatise", FIXED, "example", "replace-one"),
    ],
)
def test_every_mechanism_has_its_unit_and_its_relation(mechanism, options, unit, relation):
    told = facts("--mechanism", mechanism, *options, "--noise-multiplier", 4)
    assert (told["unit"], told["relation"]) == (unit, relation)
    assert told["epsilon"] > 0


def test_adaptive_clipping_tells_the_noise_that_is_left_for_the_updates():
    told = facts("--mechanism", "dp-adaptive", *POISSON, "--count-deviation", 5, "--noise-multiplier", 4)
    assert told["update_noise_multiplier"] == pytest.approx((4**-2 - 10**-2) ** -0.5)


def test_adaptive_clipping_is_calibrated_as_one_release():
    target = ["--target-epsilon", 2, "--accountant", "rdp"]
    joint = facts("--mechanism", "dp-adaptive", *POISSON, "--count-deviation", 5, *target)
    assert joint["noise_multiplier"] == facts(*POISSON, *target)["noise_multiplier"]


def test_distributed_noise_has_two_epsilons():
    told = facts(
        "--mechanism",
        "dp-distributed",
        *FIXED,
        "--contributors",
        30,
        "--dimension",
        650,
        "--noise-multiplier",
        4,
    )
    assert told["against"].startswith("a coordinator")
    outsiders, participants = told["weaker_epsilons"].values()
    assert outsiders < participants < told["epsilon"]
    assert [each["colluders"] for each in told["epsilons_by_colluders"]] == [0, 29]


def test_words_say_what_the_json_says():
    result = fedcli(*POISSON, "--noise-multiplier", 1, "--population", 1000)
    assert result.stdout.startswith("epsilon                 3.502 at delta 1e-05 after 100 rounds\n")
    assert "each of 1,000 clients with probability 0.05" in result.stdout
    assert "warning" not in result.stdout


def test_a_delta_above_one_client_in_all_is_warned_of():
    result = fedcli(*POISSON, "--noise-multiplier", 1, "--population", 200_000)
    assert "delta 1e-05 exceeds 1 / 200,000 clients" in result.stdout


def test_a_plot_is_text_without_colour_where_there_is_no_terminal():
    result = fedcli(*TURNS, "--mechanism", "dp-ftrl", "--noise-multiplier", 4, "--plot")
    assert result.exit_code == 0
    assert "epsilon at delta 1e-05, by round" in result.stdout
    assert "\x1b" not in result.stdout


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "--sampling is not given"),
        (POISSON, "exactly one of a noise multiplier"),
        (
            [*POISSON, "--noise-multiplier", 1, "--target-epsilon", 1],
            "exactly one of a noise multiplier",
        ),
        (["--sampling", "poisson", "--rounds", 1, "--noise-multiplier", 1], "--delta is not given"),
        (["--sampling", "poisson", "--rounds", 1, "--noise-multiplier", 1, "--delta", 1e-5], "Give --rate"),
        ([*POISSON, "--noise-multiplier", 1, "--delta", 2], "delta lies in (0, 1)"),
        ([*POISSON, "--noise-multiplier", -1], "a noise multiplier is 0, or a number from"),
        ([*FIXED, "--noise-multiplier", 1, "--accountant", "pld"], "Valid is rdp under replace-one"),
        (
            [*FIXED, "--noise-multiplier", 1, "--mechanism", "dp-banded", "--bands", 4],
            "min-separation cohort",
        ),
        ([*FIXED, "--noise-multiplier", 1, "--mechanism", "dp-banded"], "Give --bands"),
        (
            [*POISSON, "--noise-multiplier", 4, "--mechanism", "dp-adaptive", "--count-deviation", 2],
            "alone costs more",
        ),
        (["absent.yaml"], "absent.yaml"),
        (["absent.yaml", "--rate", 0.5], "--rate has no effect"),
    ],
)
def test_errors_are_sentences(arguments, words):
    result = fedcli(*arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert words in " ".join(result.stderr.replace("│", " ").split())
    assert "Traceback" not in result.stderr


CONFIG = """
name: tiny
seed: 7
rounds: 3
data: {name: digits, partition: {name: iid, clients: 20}}
model: {name: logistic}
client: {batch_size: 64}
cohort: {name: poisson, rate: 0.5}
strategy: {name: dp-clipped, clip_norm: 1.0, noise_multiplier: 4.0, delta: 1.0e-3, epsilon: 9.0}
"""


def test_a_config_tells_the_epsilon_of_the_planned_run(tmp_path):
    (tmp_path / "tiny.yaml").write_text(CONFIG)
    told = facts(tmp_path / "tiny.yaml")
    assert (told["rounds"], told["delta"], told["target_epsilon"]) == (3, 1e-3, 9.0)
    assert told["sampling"] == {"scheme": "poisson", "population": 20, "rate": 0.5, "planned_divisor": 10}
    assert 0 < facts(tmp_path / "tiny.yaml", "--set", "rounds=1")["epsilon"] < told["epsilon"]


def test_a_config_without_noise_has_nothing_to_account_for(tmp_path):
    (tmp_path / "tiny.yaml").write_text(CONFIG)
    result = fedcli(tmp_path / "tiny.yaml", "--set", "strategy={name: weighted}")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "adds no noise" in result.stderr


class TestRun:
    @pytest.fixture
    def folder(self, tmp_path):
        statement = privacy_statement(
            Promise(GaussianEvent(4.0, 1.0), Sampling("poisson", 20, rate=0.5), PrivacyTarget(1e-3, 9.0), 4),
            releases=2,
            records=[{"round": 1, "epsilon": 0.5, "test/loss": 1.0}, {"round": 2, "epsilon": 0.75}],
            published=["test/loss"],
        )
        (tmp_path / "config.yaml").write_text(CONFIG)
        (tmp_path / "privacy.json").write_text(json.dumps(statement, indent=1) + "\n")
        return tmp_path

    def test_its_statement_is_told_in_words(self, folder):
        text = fedcli(folder).stdout
        assert text.startswith("epsilon ")
        assert "after 2 rounds" in text.splitlines()[0]
        for line in ("budget", "protects", "holds for", "not covered", "published without noise"):
            assert f"\n{line} " in text
        assert "test/loss" in text

    def test_json_is_the_ledger_itself(self, folder):
        assert facts(folder) == json.loads((folder / "privacy.json").read_text())

    def test_its_rounds_are_drawn(self, folder):
        assert "by round" in fedcli(folder, "--plot").stdout

    def test_a_run_without_a_ledger_is_told_what_that_means(self, folder):
        (folder / "privacy.json").unlink()
        result = fedcli(folder)
        assert (result.exit_code, result.stdout) == (2, "")
        assert "adds no noise" in result.stderr

    def test_a_folder_that_is_no_run_is_refused(self, folder):
        (folder / "empty").mkdir()
        assert "is not a run directory" in fedcli(folder / "empty").stderr


def test_a_population_that_was_not_given_is_not_one_client():
    result = fedcli(*POISSON, "--noise-multiplier", 1)
    assert "Poisson: each client with probability 0.05, by its own coin" in result.stdout
    assert facts(*POISSON, "--noise-multiplier", 1)["sampling"]["population"] is None
    assert "each of 1,000 clients" in fedcli(*POISSON, "--noise-multiplier", 1, "--population", 1000).stdout


def test_one_round_is_no_rounds():
    once = ["--sampling", "poisson", "--rate", "0.05", "--rounds", "1", "--delta", "1e-5"]
    assert "after 1 round\n" in fedcli(*once, "--noise-multiplier", 1).stdout


def test_mechanisms_and_cohorts_have_the_names_of_a_config():
    names = {each.value for each in Mechanism} - {"privatise"}
    assert names <= set(installed("strategy"))
    assert "privatise" in installed("data.preprocessing")
    assert {each.value for each in SamplingScheme} <= set(installed("cohort"))
