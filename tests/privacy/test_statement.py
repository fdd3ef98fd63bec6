"""privacy.json says what was released, for whom epsilon holds, and what it does not cover, in JSON."""

import json
import math

import pytest

from fedcli.core.privacy import GaussianEvent, PrivacyTarget, Sampling
from fedcli.privacy import accountant_for, privacy_statement

POISSON = Sampling("poisson", 200, rate=0.1)


def statement(z=2.0, *, clip_norm=1.5, sampling=POISSON, releases=3, reproducible=False, budget=None):
    return privacy_statement(
        GaussianEvent(z, clip_norm),
        sampling,
        PrivacyTarget(1e-5, budget),
        releases=releases,
        reproducible_noise=reproducible,
    )


@pytest.mark.parametrize(
    "sampling", [POISSON, Sampling("fixed", 200, size=20), Sampling("full", 200, size=200)]
)
@pytest.mark.parametrize(("z", "clip_norm"), [(2.0, 1.0), (0.0, 1.0), (0.0, math.inf)])
def test_it_is_strict_json_whatever_the_run(sampling, z, clip_norm):
    made = statement(z, clip_norm=clip_norm, sampling=sampling)
    assert json.loads(json.dumps(made, allow_nan=False)) == made


def test_the_facts_of_a_run_are_in_it():
    made = statement(budget=8.0)
    accountant = accountant_for(GaussianEvent(2.0, 1.5), POISSON)
    assert made["unit"] == "client"
    assert made["relation"] == "add-remove"
    assert (made["clip_norm"], made["noise_multiplier"]) == (1.5, 2.0)
    assert made["sampling"] == {"scheme": "poisson", "population": 200, "rate": 0.1, "planned_divisor": 20.0}
    assert made["accountant"]["name"] == "pld"
    assert made["accountant"]["package"].startswith("dp-accounting 0.")
    gaussian = {"type": "GaussianDpEvent", "noise_multiplier": 2.0}
    event = {"type": "PoissonSampledDpEvent", "sampling_probability": 0.1, "event": gaussian}
    assert made["events"] == [{"event": event, "count": 3}]
    assert (made["delta"], made["budget"]) == (1e-5, 8.0)
    assert made["epsilon"] == accountant.epsilon(3, 1e-5) > 0


def test_a_cohort_of_fixed_size_is_stated_with_its_own_relation():
    made = statement(sampling=Sampling("fixed", 200, size=20))
    assert made["sampling"] == {"scheme": "fixed", "population": 200, "size": 20, "planned_divisor": 20}
    assert (made["relation"], made["accountant"]["name"]) == ("replace-one", "rdp")


def test_before_the_first_release_epsilon_is_zero():
    made = statement(releases=0)
    assert (made["epsilon"], made["events"][0]["count"]) == (0, 0)


def test_without_noise_there_is_no_epsilon_and_the_words_say_so():
    made = statement(0.0)
    assert made["epsilon"] is None
    assert "protects nobody" in made["noise"]


def test_noise_from_the_seed_is_called_what_it_is():
    noise = statement(reproducible=True)["noise"]
    assert "seed" in noise
    assert "protects nobody" in noise
    assert "operating system" not in noise


def test_noise_of_the_operating_system_is_called_what_it_is():
    noise = statement()["noise"]
    assert noise.startswith("ChaCha20 keyed by the operating system; floating point")


def test_it_says_for_whom_it_holds_and_what_it_does_not_cover():
    made = statement()
    assert made["holds_for"].startswith("readers of the models")
    assert "clients.jsonl" in made["holds_for"]
    gaps = " ".join(made["not_covered"])
    for gap in (
        "metrics",
        "published without noise",
        "took part",
        "bytes",
        "example counts",
        "hyperparameters",
    ):
        assert gap in gaps
