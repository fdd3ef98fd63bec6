"""privacy.json says what was released, for whom epsilon holds, and what it does not cover, in JSON."""

import json
import math

import pytest

from fedcli.components.encryption import secagg, shared_key, threshold
from fedcli.components.encryption.scheme import Sums
from fedcli.core.privacy_events import (
    BandedEvent,
    DistributedGaussianEvent,
    ExampleEvent,
    GaussianEvent,
    LocalGaussianEvent,
    PrivatisedDataEvent,
    TreeEvent,
)
from fedcli.core.sampling_scheme import PrivacyTarget, Sampling
from fedcli.privacy import accountant_for, in_words, privacy_statement

SUMS = Sums(200, 20, bits=20, noise_tail=0, root=0, rounds=10)
POISSON = Sampling("poisson", 200, rate=0.1)


def statement(z=2.0, *, clip_norm=1.5, sampling=POISSON, releases=3, reproducible=False, budget=None, **more):
    return privacy_statement(
        GaussianEvent(z, clip_norm),
        sampling,
        PrivacyTarget(1e-5, budget),
        releases=releases,
        reproducible_noise=reproducible,
        **more,
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


def test_every_round_has_its_epsilon_and_every_published_metric_its_name():
    records = [
        {"round": 1, "epsilon": 0.5, "test/loss": 2.0, "clients/finished": 3},
        {"round": 2, "epsilon": 0.7, "note": "void"},
        {"round": 3, "epsilon": None, "train/loss": 1.0},
    ]
    made = statement(records=records, published={"train/loss", "clients/finished", "test/loss"})
    assert made["epsilon_after_round"] == {"1": 0.5, "2": 0.7, "3": None}
    assert made["published_without_noise"] == ["clients/finished", "test/loss", "train/loss"]


def test_a_delta_above_one_over_the_clients_is_warned_of():
    many = Sampling("poisson", 1_000_000, rate=0.1)
    assert statement()["warnings"] == []
    assert "exceeds 1 / 1,000,000 clients" in statement(sampling=many)["warnings"][0]


TURNS = Sampling("min-separation", 200, separation=10)
FIXED = Sampling("fixed", 200, size=20)
MECHANISMS = [
    (GaussianEvent(2.0, 1.0, "adaptive", 5.0), POISSON, "client", "noised count"),
    (GaussianEvent(2.0, 1.0, "per-layer"), FIXED, "client", "layer by layer"),
    (GaussianEvent(2.0, 1.0), Sampling("capped-poisson", 200, rate=0.1, cap=40), "client", "clipped updates"),
    (DistributedGaussianEvent(100.0, 15, 50, 100.0, 2), FIXED, "client", "discrete Gaussian"),
    (LocalGaussianEvent(4.0, 1.0), FIXED, "client", "its own clipped update"),
    (TreeEvent(4.0, 1.0, 8), TURNS, "client", "binary tree"),
    (BandedEvent(4.0, 1.0, 10), TURNS, "client", "banded matrix"),
    (ExampleEvent(2.0, 1.0, 0.1, 5), FIXED, "example", "DP-SGD inside each client"),
    (PrivatisedDataEvent(4.0, 1.0), FIXED, "example", "before any training"),
]


@pytest.mark.parametrize(("event", "sampling", "unit", "words"), MECHANISMS)
def test_every_mechanism_is_stated_in_strict_json_and_in_words(event, sampling, unit, words):
    made = privacy_statement(event, sampling, PrivacyTarget(1e-5), releases=3, reproducible_noise=False)
    assert json.loads(json.dumps(made, allow_nan=False)) == made
    assert made["unit"] == unit
    assert words in made["mechanism"]
    text = "\n".join(sentence for _, sentence in in_words(made))
    assert made["mechanism"] in text
    assert f"({made['relation']})" in text
    assert "after 3 rounds" in text


def test_the_ledger_is_enough_to_account_for_it_again():
    import dp_accounting as dp

    def event_of(ledger):
        fields = {name: value for name, value in ledger.items() if name != "type"}
        inner = {n: event_of(v) if isinstance(v, dict) else v for n, v in fields.items()}
        return getattr(dp, ledger["type"])(**inner)

    for event, sampling, _, _ in MECHANISMS:
        if not isinstance(event, DistributedGaussianEvent):
            made = privacy_statement(
                event, sampling, PrivacyTarget(1e-5), releases=3, reproducible_noise=False
            )
            (entry,) = made["events"]
            assert dp.SelfComposedDpEvent(event_of(entry["event"]), entry["count"]) == accountant_for(
                event, sampling
            ).event(3)


@pytest.mark.parametrize(
    ("encryption", "held", "said"),
    [
        (
            None,
            "sees every single one",
            ["updates are not encrypted", "single updates, which are not encrypted"],
        ),
        (shared_key(SUMS), "as shared-key encryption has it if no client colludes", []),
        (threshold(SUMS, committee=5, threshold=3), "if fewer than 3 of the committee's 5 members", []),
        (secagg(SUMS), "neighbours collude with the server", []),
    ],
    ids=["none", "shared-key", "threshold", "secagg"],
)
def test_distributed_noise_protects_against_the_server_as_far_as_the_encryption_does(encryption, held, said):
    made = privacy_statement(
        DistributedGaussianEvent(100.0, 15, 50, 100.0, 2),
        FIXED,
        PrivacyTarget(1e-5),
        releases=3,
        reproducible_noise=False,
        encryption=encryption,
    )
    assert held in made["holds_for"]
    found = [text for text in (*made["warnings"], *made["not_covered"]) if "not encrypted" in text]
    assert [text.startswith(start) for text, start in zip(found, said, strict=True)] == [True] * len(said)
    assert any("opened" in text for text in made["not_covered"]) == (encryption is not None)


def test_central_noise_holds_for_the_same_readers_with_an_encryption():
    plain, encrypted = (
        privacy_statement(
            GaussianEvent(2.0, 1.5),
            POISSON,
            PrivacyTarget(1e-5),
            releases=3,
            reproducible_noise=False,
            encryption=each,
        )
        for each in (None, threshold(SUMS, committee=5, threshold=3))
    )
    assert plain["holds_for"] == encrypted["holds_for"]
    assert set(plain["not_covered"]) < set(encrypted["not_covered"])


def test_distributed_noise_states_both_epsilons_and_calls_itself_exact():
    event = DistributedGaussianEvent(100.0, 15, 50, 100.0, 2)
    made = privacy_statement(event, FIXED, PrivacyTarget(1e-5), releases=3, reproducible_noise=False)
    (readers,) = made["weaker_epsilons"].values()
    assert 0 < readers < made["epsilon"]
    assert made["holds_for"].startswith("a coordinator")
    assert "exact law" in made["noise"]
    assert made["events"][0]["event"] == {
        "type": "DistributedGaussianEvent",
        "share_deviation": 100.0,
        "contributors": 15,
        "dimension": 50,
        "sensitivity": 100.0,
        "colluders": 2,
        "excess_probability": 0.0,
        "clip_norm": None,
    }
