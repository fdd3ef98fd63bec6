"""What is planned before training: refusals in the words of the config, figures, sizes, and who sees what."""

import json

import numpy as np
import pytest
from encrypted_runs import BITS, SCHEMES, SUMS, begun, encryption_of

from fedcli.components.encryption import ENCRYPTIONS
from fedcli.config.signatures import signature
from fedcli.core.errors import ConfigError, RunError


@pytest.mark.parametrize(
    ("name", "parameters", "key", "said"),
    [
        ("threshold", {"committee": 1}, "committee", "2 to 30 members; received 1"),
        ("threshold", {"committee": 31}, "committee", "2 to 30 members; received 31"),
        ("threshold", {"committee": 6}, "committee", "cannot be drawn from 5 clients"),
        (
            "threshold",
            {"threshold": 6},
            "threshold",
            "between 2 and the size of the committee, 5; received 6",
        ),
        ("threshold", {"threshold": 1}, "threshold", "could open single updates alone"),
        ("threshold", {"threshold": 2}, "threshold", "2 of 5 members is no majority"),
        ("threshold", {"threshold": 2}, "threshold", "Use threshold: 3 or more, or allow_split: true"),
        ("threshold", {"dropout": 1.0}, "dropout", "lies in"),
        ("threshold", {"outages": {"3": [6]}}, "outages", "the outage of round 3 names [6]"),
        ("threshold", {"outages": {"0": [1]}}, "outages", "counted from 1; received 0"),
        ("threshold", {"outages": {"x": [1]}}, "outages", "counted from 1; received x"),
        ("secagg", {"dropped": 1.0}, "dropped", "lie in [0, 1)"),
        (
            "secagg",
            {"dropped": 0.7, "corrupt": 0.3},
            "dropped",
            "cannot tolerate 3 dropped and 2 corrupt of 5",
        ),
    ],
)
def test_a_parameter_that_cannot_be_used_is_refused_by_its_key(name, parameters, key, said):
    with pytest.raises(ConfigError) as caught:
        encryption_of(name, **parameters)
    assert caught.value.key == key
    assert said in str(caught.value)


@pytest.mark.parametrize(("name", "least"), [("shared-key", 2), ("threshold", 2), ("secagg", 3)])
def test_a_cohort_that_is_too_small_is_refused(name, least):
    with pytest.raises(ConfigError, match=f"at least {least} clients; the largest cohort has {least - 1}"):
        encryption_of(name, SUMS._replace(most_summands=least - 1))
    smallest = SUMS._replace(most_summands=least)
    assert (
        encryption_of(name, smallest, **({"dropped": 0.2} if name == "secagg" else {})).min_clients == least
    )


@pytest.mark.parametrize("name", SCHEMES)
def test_sums_that_do_not_fit_are_refused_without_a_foreign_key(name):
    with pytest.raises(ConfigError, match="bits") as caught:
        encryption_of(name, SUMS._replace(bits=52, noise_tail=2**62))
    assert caught.value.key == ""
    assert caught.value.hint


@pytest.mark.parametrize("name", SCHEMES)
def test_the_figures_are_json(name, encryptions):
    figures = encryptions[name].figures
    assert json.loads(json.dumps(figures)) == figures
    assert figures["security_bits"] == 128
    assert figures["most_summands"] == 5
    assert figures["largest_sum"] == 5 * 2**BITS
    if name != "secagg":
        assert figures["failure_bits"] is None
    assert figures.get("distance_bits", 40) >= 40
    assert "tail_bits" not in figures
    assert encryption_of(name, SUMS._replace(noise_tail=9)).figures["tail_bits"] == 40


@pytest.mark.parametrize("name", SCHEMES)
@pytest.mark.parametrize("size", [1, 50, 30_000])
def test_the_bytes_of_an_update_are_known_before(name, size, encryptions, keys, rounds):
    _, _, sent = begun(keys[name], next(rounds), size=size)
    assert {len(data) for data in sent.values()} == {encryptions[name].coded_bytes(size)}


@pytest.mark.parametrize("name", SCHEMES)
def test_who_sees_what_is_told_of_everybody(name, encryptions):
    seen = " ".join(f"{sight.who}: {sight.what}." for sight in encryptions[name].sees)
    for word in (
        "server",
        "each client",
        "collude",
        "number of examples",
        "weight",
        "loss",
        "follow the protocol",
    ):
        assert word in seen
    opened_by = {"shared-key": "clients", "threshold": "server", "secagg": "server"}
    assert encryptions[name].opened_by == opened_by[name]


@pytest.mark.parametrize("name", ["shared-key", "threshold"])
def test_kept_keys_are_told_of(name):
    plain, keeping = encryption_of(name), encryption_of(name, keep_keys=True)
    assert (plain.keeps_keys, keeping.keeps_keys) == (False, True)
    assert "secret/" not in str(plain.sees)
    assert "secret/" in str(keeping.sees)


def test_a_committee_that_can_be_split_is_told_of():
    whole, split = encryption_of("threshold"), encryption_of("threshold", threshold=2, allow_split=True)
    assert (whole.warnings, len(split.warnings)) == ((), 1)
    assert "2 of 5 members is no majority" in split.warnings[0]
    assert "two sums of one round" in str(split.sees)
    assert "two sums of one round" not in str(whole.sees)


@pytest.mark.parametrize("name", SCHEMES)
def test_kept_keys_open_what_was_encrypted_before(name, encryptions, keys, rounds):
    round = next(rounds)
    _, values, sent = begun(keys[name], round)
    again = encryptions[name].start(keys[name].kept())
    exchange = again.begin(round, list(values), run="a run", size=3)
    if name == "secagg":
        # Nothing is kept: another round has other keys.
        assert keys[name].kept() == {}
        assert exchange.check(0, sent[0])
        return
    for client, data in sent.items():
        assert exchange.check(client, data) is None
        exchange.add(client, data)
    assert np.array_equal(exchange.open(), sum(values.values()))


def test_keys_of_another_plan_are_refused(encryptions, keys):
    shared, committee = keys["shared-key"].kept(), keys["threshold"].kept()
    with pytest.raises(RunError, match="kept"):
        encryptions["shared-key"].start({**shared, "words": shared["words"][:, :10]})
    with pytest.raises(RunError, match="kept"):
        encryptions["threshold"].start({**committee, "shares": {"1": committee["shares"]["1"]}})


@pytest.mark.parametrize("name", ENCRYPTIONS)
def test_a_config_can_write_every_parameter(name):
    values = {"threshold": {"committee": 5, "threshold": 3, "outages": {"3": [1, 2]}}}.get(name, {})
    complete = signature(ENCRYPTIONS[name]).complete(values)
    assert complete.items() >= values.items()
    assert json.loads(json.dumps(complete)) == complete
    ENCRYPTIONS[name](SUMS, **complete)
