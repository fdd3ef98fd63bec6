"""privacy.json says what was released, for whom epsilon holds, and what it does not cover, in JSON."""

import json
import math

import pytest
from scipy.stats import norm

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
from fedcli.privacy import Promise, RunFacts, accountant_for, in_words, privacy_statement
from fedcli.privacy.meaning import best_guess, meaning, most_found, percent

SUMS = Sums(200, 20, bits=20, noise_tail=0, root=0, rounds=10)
POISSON = Sampling("poisson", 200, rate=0.1)


FACTS = RunFacts("a1b2", "2026-01-02T03:04:05Z", "0.1.0")


def promise(event, sampling=POISSON, budget=None, *, delta=1e-5, rounds=3, **more):
    return Promise(event, sampling, PrivacyTarget(delta, budget), rounds, **more)


def statement(z=2.0, *, clip_norm=1.5, sampling=POISSON, releases=3, reproducible=False, budget=None, **more):
    planned = promise(GaussianEvent(z, clip_norm), sampling, budget, reproducible_noise=reproducible)
    return privacy_statement(planned, FACTS, releases=releases, **more)


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
    assert noise.startswith("ChaCha20 keyed by the operating system, by an exact sampler")


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


def test_a_delta_above_one_over_the_examples_is_warned_of_where_their_number_is_known():
    planned = promise(ExampleEvent(2.0, 1.0, 0.1, 5), FIXED, delta=1e-3)
    known, unknown = (
        privacy_statement(planned, FACTS._replace(num_examples=number), releases=3) for number in (1438, None)
    )
    assert ["exceeds 1 / 1,438 examples" in text for text in known["warnings"]] == [True]
    assert unknown["warnings"] == []


def test_an_epsilon_that_is_hard_to_defend_is_warned_of_and_explained():
    made = statement(0.4, sampling=Sampling("full", 200, size=200))
    assert made["epsilon"] > 10
    assert any("hard to defend" in text for text in made["warnings"])
    assert "hard to defend" in made["meaning"][-1]
    assert "up to practically 100 %;" in made["meaning"][0]


def test_the_meaning_is_what_the_curve_allows():
    # No noise tells everything, infinite noise nothing; at epsilon ln 3, three guesses of four are right.
    assert best_guess(0.0, 0.0) == 0.5
    assert best_guess(math.log(3), 0.0) == pytest.approx(0.75)
    assert best_guess(0.0, 0.2) == pytest.approx(0.6)
    assert most_found(0.0, 0.0, 0.01) == pytest.approx(0.01)
    assert most_found(math.log(3), 0.0, 0.01) == pytest.approx(0.03)
    assert most_found(800.0, 0.0, 0.01) == 1.0
    # The Gaussian mechanism itself stays within both: sensitivity 1, deviation 1.
    loss = accountant_for(GaussianEvent(1.0, 1.0), Sampling("full", 9, size=9))
    for delta in (1e-5, 1e-3, 0.05):
        epsilon = loss.epsilon(1, delta)
        assert norm.cdf(0.5) <= best_guess(epsilon, delta)
        assert norm.cdf(norm.ppf(0.01) + 1) <= most_found(epsilon, delta, 0.01)


def test_run_relations_concentrated_privacy_and_turns_are_stated():
    made = privacy_statement(promise(GaussianEvent(4.0, 1.0), TURNS, rounds=40), FACTS, releases=30)
    assert made["run"] == {"id": "a1b2", "begun": "2026-01-02T03:04:05Z", "fedcli": "0.1.0"}
    # Three turns in 30 rounds, four in 40; a client that is replaced moves the sum twice as far.
    assert made["zcdp"] == {"rho": 3 / 32}
    planned = made["planned"]
    assert planned["turns_of_a_client"] == {"at_most": 4, "expected": 4.0}
    relations = planned["epsilon_by_relation"]
    assert relations["add-remove"] is None
    assert 2 * relations["zero-out"] < relations["replace-one"]
    assert relations["zero-out"] == planned["epsilon"] > made["epsilon"]
    sampled = statement()
    assert sampled["zcdp"] is None
    assert sampled["planned"]["turns_of_a_client"] == {"at_most": 3, "expected": pytest.approx(0.3)}


def test_noise_that_may_be_discarded_is_an_exception_to_concentrated_privacy():
    event = GaussianEvent(4.0, 1.0, excess_probability=1e-12)
    made = privacy_statement(promise(event, Sampling("full", 200, size=200)), releases=3)
    assert made["zcdp"] == {"rho": 3 / 32, "except_with_probability": 3e-12}


@pytest.mark.parametrize(
    ("event", "more", "who"),
    [
        (GaussianEvent(2.0, 1.0), {}, "the server, which sees every single update"),
        (GaussianEvent(2.0, 1.0), {"reproducible_noise": True}, "whoever knows the experiment's seed"),
        (GaussianEvent(0.0, 1.0), {}, "anybody: there is no noise"),
        (ExampleEvent(2.0, 1.0, 0.1, 5), {}, "somebody who asks about a client as a whole"),
        (DistributedGaussianEvent(100.0, 15, 50, 100.0), {}, "the server: it sees every single update"),
    ],
)
def test_it_says_against_whom_epsilon_does_not_hold(event, more, who):
    made = privacy_statement(promise(event, FIXED, **more), releases=3)
    assert any(text.startswith(who) for text in made["does_not_hold_against"])


def test_colluders_are_counted_from_nobody_to_all_but_one():
    # 27 guaranteed shares of 30 clients, 1.382 clip norms of noise: what a run of 20 rounds stated as 15.99.
    steps, full = 2.0**16, Sampling("full", 30, size=30)
    event = DistributedGaussianEvent(1.382 * steps / math.sqrt(27), 27, 2**32, steps)
    hidden = secagg(Sums(30, 30, bits=16, noise_tail=0, root=0, rounds=20), dropped=0.1)
    made = privacy_statement(
        promise(event, full, delta=1e-3, rounds=20, encryption=hidden), FACTS, releases=20
    )
    by_colluders = {each["colluders"]: each["epsilon"] for each in made["epsilons_by_colluders"]}
    # As planned (a fifth), the most with which one update stays hidden, and all but one.
    assert list(by_colluders) == [0, 6, 25, 26]
    assert by_colluders[0] == made["epsilon"] == pytest.approx(15.99, abs=0.02)
    # By hand: the continuous Gaussian noise of the honest shares, whose curve is exact.
    for colluders, epsilon in by_colluders.items():
        honest = Sampling("full", 30, size=30)
        z = 1.382 * math.sqrt((27 - colluders) / 27)
        exact = accountant_for(GaussianEvent(z, 1.0), honest).epsilon(20, 1e-3)
        assert exact <= epsilon <= 1.12 * exact
    assert by_colluders[25] == pytest.approx(112.6, rel=0.01)
    (warning,) = [text for text in made["warnings"] if "planned for 6" in text]
    assert "strategy.colluders" in warning


def by_colluders(event, **more):
    made = privacy_statement(promise(event, Sampling("full", 30, size=30), **more), releases=3)
    return {each["colluders"]: each for each in made["epsilons_by_colluders"]}


def test_colluders_who_may_sit_on_the_committee_are_not_counted_on_to_be_others():
    hidden = threshold(Sums(30, 30, bits=16, noise_tail=0, root=0, rounds=3), committee=5, threshold=3)
    rows = by_colluders(DistributedGaussianEvent(1e4, 27, 2**20, 2e4, 12), encryption=hidden)
    # Any two; as planned, two fifths of 30; all but one, of whose epsilon nothing is left to say.
    assert list(rows) == [0, 2, 12, 26]
    assert rows[2]["about"].endswith("whoever they are")
    alone = f"{rows[26]['epsilon']:.4g}"
    assert rows[12]["about"].endswith(
        ", of whom fewer than 3 are among the committee's 5 members; "
        f"otherwise epsilon is that of all but one: {alone}"
    )
    assert rows[26]["about"] == "all guaranteed contributors but one"


def test_more_colluders_than_an_encryption_bears_leave_one_share_or_none():
    hidden = secagg(Sums(30, 30, bits=16, noise_tail=0, root=0, rounds=3), dropped=0.1)
    rows = by_colluders(DistributedGaussianEvent(1e4, 20, 2**20, 2e4, 2), encryption=hidden)
    # Secure aggregation bears 25 of 30, and no share of 20 is left then: infinite, and said so.
    assert (list(rows), rows[25]["epsilon"]) == ([0, 2, 6, 19, 25], None)
    event = DistributedGaussianEvent(1e4, 27, 2**20, 2e4, 3)
    rows = by_colluders(event, encryption=shared_key(Sums(30, 30, bits=16, noise_tail=0, root=0, rounds=3)))
    assert rows[3]["epsilon"] == rows[26]["epsilon"] > rows[0]["epsilon"]
    assert "does not hide single updates from so many" in rows[3]["about"]


def test_a_participant_knows_the_rounds_without_itself_of_a_cohort_of_fixed_size():
    for size in (4, 5):
        made = statement(sampling=Sampling("fixed", 6, size=size))
        ((who, epsilon),) = made["weaker_epsilons"].items()
        assert who.startswith("a client that takes part and reads the models")
        alone = Sampling("fixed", 5, size=4) if size == 4 else Sampling("full", 5, size=5)
        theirs = accountant_for(GaussianEvent(2.0, 1.5), alone, relation="replace-one").epsilon(3, 1e-5)
        assert epsilon == max(theirs, made["epsilon"])
    # Coins of others tell nothing, and a cohort of all is known anyway.
    for sampling in (POISSON, Sampling("full", 6, size=6), Sampling("fixed", 6, size=6)):
        assert statement(sampling=sampling)["weaker_epsilons"] == {}


def test_the_step_of_the_noise_is_that_of_the_grid():
    assert "each at most 2^-25 of its deviation" in statement()["noise"]
    made = privacy_statement(promise(GaussianEvent(2.0, 1.5), grid_bits=16), releases=3)
    assert made["noise"].endswith("each the clip norm / 2^16")


def test_batches_are_named_where_gradients_are_noised():
    named = [
        any(
            "through the batch" in gap
            for gap in privacy_statement(promise(event, FIXED), releases=3)["not_covered"]
        )
        for event in (ExampleEvent(2.0, 1.0, 0.1, 5), PrivatisedDataEvent(4.0, 1.0), GaussianEvent(2.0, 1.0))
    ]
    assert named == [True, False, False]


@pytest.mark.parametrize(
    ("relation", "asks", "finds"),
    [
        ("add-remove", "whether one client took part", "of those that did"),
        ("zero-out", "whether one client took part", "of those that did"),
        ("replace-one", "whether the data of one client are A or B", "of the cases of B"),
    ],
)
def test_the_meaning_is_that_of_the_relation(relation, asks, finds):
    guess, test, *_, last = meaning(8.0, 1e-5, "client", relation)
    assert asks in guess
    assert asks in test
    assert test.endswith(finds)
    # e^8 / (1 + e^8) is 0.99966.
    assert "up to 99.97 %;" in guess
    assert "hardly a promise" in last
    assert not any("hardly" in text for text in meaning(3.9, 1e-5, "client", relation))


def test_a_share_reads_as_all_only_where_it_is_practically():
    assert [percent(*each) for each in ((0.5, 2), (0.73106, 2), (0.99999, 1), (1 - 1e-12, 2))] == [
        "50.00 %",
        "73.11 %",
        "99.999 %",
        "practically 100 %",
    ]


def test_a_participant_that_knows_its_own_share_is_warned_of():
    made = privacy_statement(
        promise(DistributedGaussianEvent(100.0, 2, 50, 100.0), Sampling("full", 2, size=2)), releases=3
    )
    outsiders, participants = made["weaker_epsilons"].values()
    assert outsiders == made["epsilon"] < participants
    assert any("knows its own share" in text for text in made["warnings"])


def test_what_is_published_of_a_test_set_of_clients_is_said():
    quiet, public, loud = (
        privacy_statement(promise(GaussianEvent(2.0, 1.5), **more), releases=3)
        for more in (
            {"publishes_noised_only": True, "has_public_test": False},
            {"publishes_noised_only": True},
            {"has_public_test": False},
        )
    )
    assert "withheld" in quiet["publishes"]
    assert "no rows of clients" in public["publishes"]
    assert any("clients' own rows" in text for text in loud["not_covered"])


def test_states_and_clocks_are_named_where_there_are_any():
    bare, with_both, quiet = (
        " ".join(privacy_statement(promise(GaussianEvent(2.0, 1.5), **more), releases=3)["not_covered"])
        for more in (
            {},
            {"keeps_client_states": True, "has_clock": True},
            {"keeps_client_states": True, "has_clock": True, "publishes_noised_only": True},
        )
    )
    assert ("own states" in bare, "simulated seconds" in bare) == (False, False)
    assert ("own states" in with_both, "simulated seconds" in with_both) == (True, True)
    assert ("own states" in quiet, "simulated seconds" in quiet) == (True, False)


def test_a_statement_of_an_older_run_is_still_told_in_words():
    new = ("format", "run", "meaning", "epsilons_by_colluders", "zcdp", "planned", "does_not_hold_against")
    old = {name: value for name, value in statement().items() if name not in (*new, "publishes")}
    assert dict(in_words(old))["protects"].startswith("one client")


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
    made = privacy_statement(promise(event, sampling), FACTS, releases=3)
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
            made = privacy_statement(promise(event, sampling), releases=3)
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
        (secagg(SUMS), "at most 4 of 20 clients collude with the server", []),
    ],
    ids=["none", "shared-key", "threshold", "secagg"],
)
def test_distributed_noise_protects_against_the_server_as_far_as_the_encryption_does(encryption, held, said):
    event = DistributedGaussianEvent(100.0, 15, 50, 100.0, 2)
    made = privacy_statement(promise(event, FIXED, encryption=encryption), releases=3)
    assert held in made["holds_for"]
    found = [text for text in (*made["warnings"], *made["not_covered"]) if "not encrypted" in text]
    assert [text.startswith(start) for text, start in zip(found, said, strict=True)] == [True] * len(said)
    assert any("opened" in text for text in made["not_covered"]) == (encryption is not None)


def test_central_noise_holds_for_the_same_readers_with_an_encryption():
    plain, encrypted = (
        privacy_statement(promise(GaussianEvent(2.0, 1.5), encryption=each), releases=3)
        for each in (None, threshold(SUMS, committee=5, threshold=3))
    )
    assert plain["holds_for"] == encrypted["holds_for"]
    assert set(plain["not_covered"]) < set(encrypted["not_covered"])


def test_distributed_noise_states_both_epsilons_and_calls_itself_exact():
    event = DistributedGaussianEvent(100.0, 15, 50, 100.0, 2)
    made = privacy_statement(promise(event, FIXED), releases=3)
    outsiders, participants = made["weaker_epsilons"].values()
    assert 0 < outsiders < participants < made["epsilon"]
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
