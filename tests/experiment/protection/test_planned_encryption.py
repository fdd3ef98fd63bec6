"""An encrypted experiment before it runs: what it is planned for, what it costs, and what is refused with a way out."""

import json

import pytest
import tiny

from fedcli.config import ConfigErrors, dump, load, loads
from fedcli.core.errors import ConfigError
from fedcli.core.sampling_scheme import Sampling
from fedcli.crypto.bfv.plans import gaussian_tail
from fedcli.experiment.compatibility import model_statistics
from fedcli.experiment.compose import leaves_colluders_open, with_colluders, written_out
from fedcli.experiment.cost import cost
from fedcli.experiment.plan import warnings_of
from fedcli.experiment.protection.encryption import warnings

GRID = "fixed_point={clip_norm: 10.0}"
EQUAL = ("strategy=mean", GRID)
THRESHOLD = "encryption={name: threshold, committee: 4, threshold: 3}"
SHARES = (
    "strategy={name: dp-distributed, clip_norm: 1.0, contributors: 3, noise_multiplier: 1.0, delta: 1.0e-5}"
)
MASKS = "encryption={name: secagg, dropped: 0.4, corrupt: 0.0}"
ALL = ("encryption=shared-key", THRESHOLD, "encryption=secagg")


def refusal(*overrides):
    with pytest.raises(ConfigErrors) as caught:
        tiny.plan(*overrides)
    return str(caught.value)


@pytest.mark.parametrize("encryption", ALL)
def test_updates_are_encrypted_behind_the_grid_and_before_they_are_checked(encryption):
    made = tiny.plan(*EQUAL, encryption)
    names = [transform.name for transform in made.protocol.strategy.transforms]
    assert names == ["fixed_point", "encrypt", "arrival"]
    assert made.protocol.strategy.transforms[-1].takes == "ciphertext"
    assert made.protocol.strategy.bytes_up(5000) == made.protocol.encryption.coded_bytes(5000)
    assert made.protocol.strategy.min_updates == made.protocol.encryption.min_clients >= 2


def test_noise_of_the_clients_is_encrypted_too():
    made = tiny.plan(SHARES, "cohort=full", THRESHOLD)
    names = [transform.name for transform in made.protocol.strategy.transforms]
    assert names == ["finite", "fixed_point", "distributed_noise", "encrypt", "arrival"]
    # Two of four members may collude, and as many of four clients: the noise of one share of three is enough.
    deviation = 2**20 / 1**0.5 * 4**0.5
    assert made.protocol.encryption.figures["largest_sum"] == 4 * 2**20 + gaussian_tail(deviation, 2 * 2**32)


@pytest.mark.parametrize(
    ("encryption", "colluders"),
    [(THRESHOLD, 2), ("encryption=shared-key", 0), ("encryption=secagg", 1), ("encryption=null", 0)],
)
def test_colluders_are_as_many_as_the_encryption_is_planned_for(encryption, colluders):
    made = tiny.plan(SHARES, "cohort=full", encryption)
    event = made.protocol.strategy.privacy_event
    assert event.colluders == colluders
    # The honest shares alone have the noise that was asked for, and the run's config says for how many.
    assert event.share_deviation == pytest.approx(2**20 / (3 - colluders) ** 0.5)
    written = made.experiment.strategy.parameters["colluders"]
    assert written == (None if encryption == "encryption=null" else colluders)


def test_colluders_that_are_given_are_kept_and_too_few_are_warned_of():
    made = tiny.plan(SHARES.replace("contributors", "colluders: 1, contributors"), "cohort=full", THRESHOLD)
    assert made.protocol.strategy.privacy_event.colluders == 1
    (warning,) = [text for text in warnings_of(made) if "planned for 2" in text]
    assert "counts on at most 1 clients" in warning


def test_as_many_colluders_as_contributors_are_refused():
    few = SHARES.replace("contributors: 3", "contributors: 2")
    report = refusal(few, "cohort=full", THRESHOLD)
    assert "contributors of at least 3" in report
    assert "planned for 2 of 4 clients" in report


def test_a_strategy_that_is_written_out_leaves_its_colluders_to_the_encryption_too():
    made = tiny.plan(SHARES, "cohort=full")
    written = written_out(made.protocol.strategy._replace(transforms=made.protocol.strategy.transforms[:-1]))
    assert leaves_colluders_open(written)
    assert not leaves_colluders_open(with_colluders(written, 2))


def test_a_plan_is_for_the_largest_cohort_that_can_be_drawn():
    for cohort, most in [("full", 4), ("{name: uniform, size: 3}", 3), ("{name: poisson, rate: 0.5}", 4)]:
        made = tiny.plan(*EQUAL, f"cohort={cohort}", "encryption=shared-key")
        assert made.protocol.encryption.figures["most_summands"] == most
    assert Sampling("capped-poisson", 100, rate=0.1, cap=20).largest == 20
    assert Sampling("min-separation", 100, separation=8).largest == 13


def test_without_the_section_nothing_is_encrypted():
    made = tiny.plan(*EQUAL)
    assert made.protocol.encryption is None
    assert [transform.name for transform in made.protocol.strategy.transforms] == ["fixed_point", "arrival"]
    assert "encryption" not in cost(made)


@pytest.mark.parametrize("encryption", ALL)
def test_what_is_planned_is_told_before_the_run_as_json(encryption):
    told = cost(tiny.plan(*EQUAL, encryption))["encryption"]
    assert json.loads(json.dumps(told, allow_nan=False)) == told
    assert {"name", "security_bits", "bytes_per_parameter", "min_clients", "assumes", "sees"} <= told.keys()
    assert {"server", "each client", "this computer"} <= {sight["who"] for sight in told["sees"]}


def test_keys_that_are_kept_are_warned_of():
    assert warnings_of(tiny.plan(*EQUAL, "encryption=shared-key")) == []
    (warning,) = warnings_of(tiny.plan(*EQUAL, "encryption={name: shared-key, keep_keys: true}"))
    assert "secret/keys.npz" in warning
    assert warnings(None, dropout=0.5, cohort=10) == []


def test_the_section_survives_the_file(tmp_path):
    text = tiny.YAML + "encryption: {name: threshold, committee: 4, threshold: 3, outages: {'2': [1, 3]}}\n"
    made = loads(text).experiment
    assert made.encryption.parameters["outages"] == {"2": [1, 3]}
    (tmp_path / "kept.yaml").write_text(dump(made))
    assert load(tmp_path / "kept.yaml").experiment == made


@pytest.mark.parametrize(
    ("overrides", "key", "said"),
    [
        (["strategy=mean"], "encryption", "Add for example fixed_point: {clip_norm: 10.0, bits: 20}."),
        (["strategy=weighted"], "encryption", "fixed_point: {clip_norm: 10.0, bits: 20, max_examples: 100}."),
        ([*tiny.PRIVATE], "encryption", "Add for example fixed_point: {bits: 20}."),
        (["strategy=median"], "encryption", "reads single updates"),
        (["strategy=median", GRID], "encryption", "reads single updates"),
        (["strategy={name: fedbuff, buffer_size: 2}", GRID], "encryption", "adds any update that arrives"),
        ([*EQUAL, "compression=top-k"], "compression", "off the grid"),
        (
            ["strategy={name: dp-adaptive, noise_multiplier: 1.0, delta: 1e-3, count_deviation: 4.0}"],
            "encryption",
            "moves its clip norm",
        ),
        (
            ["strategy={name: dp-local, clip_norm: 1.0, noise_multiplier: 1.0, delta: 1e-3}"],
            "encryption",
            "adds its noise before the grid",
        ),
        ([*EQUAL, "cohort={name: poisson, rate: 0.25}"], "encryption", "fewer than 2 updates"),
        ([*EQUAL, "cohort={name: uniform, size: 1}"], "encryption", "at least 2 clients"),
    ],
)
def test_what_cannot_be_encrypted_is_refused_with_its_key(overrides, key, said):
    report = refusal(*overrides, "encryption=shared-key")
    assert f"  {key}" in report.splitlines()[0]
    assert said in report


def test_central_noise_comes_too_late_for_a_client_that_opens_the_sum():
    private = (*tiny.PRIVATE, "fixed_point={bits: 16}")
    report = refusal(*private, "encryption=shared-key")
    assert "a client opens the exact sum, before the server adds the noise of dp-clipped" in report
    assert "dp-distributed" in report
    made = tiny.plan(*private, THRESHOLD)
    names = [transform.name for transform in made.protocol.strategy.transforms]
    assert names == ["clip", "fixed_point", "gaussian_noise", "encrypt", "arrival"]
    assert (
        tiny.plan(SHARES, "cohort=full", "encryption=shared-key").protocol.encryption.opened_by == "clients"
    )


def test_a_committee_that_the_population_cannot_fill_is_refused_at_its_place():
    report = refusal(*EQUAL, "encryption={name: threshold, committee: 5, threshold: 3}")
    assert "encryption.committee = 5" in report


def test_statistics_do_not_travel_in_the_clear_beside_encrypted_updates():
    made = tiny.plan(*EQUAL, "encryption=shared-key")
    model_statistics.check(made.protocol.strategy, made.experiment, num_statistics=0)
    with pytest.raises(ConfigError, match="in the clear beside encrypted updates") as caught:
        model_statistics.check(made.protocol.strategy, made.experiment, num_statistics=8)
    assert caught.value.key == "model.non_trainable"


@pytest.mark.parametrize(
    ("encryption", "waits", "reason"),
    [
        (THRESHOLD, 1, "threshold opens no sum of fewer than 2 updates; the server waits for 1"),
        (MASKS, 2, "secagg opens no sum of fewer than 3 updates; the server waits for 2"),
        (
            "encryption={name: secagg, dropped: 0.0}",
            3,
            "secagg opens no sum when more than 0 of 4 clients are lost; the server waits for 3",
        ),
    ],
)
def test_a_server_that_waits_for_too_few_would_open_nothing(encryption, waits, reason):
    waiting = ("devices={name: half-normal}", f"participation.wait_for={waits}")
    assert reason in refusal(*EQUAL, encryption, *waiting)
    tiny.plan(*EQUAL, encryption, waiting[0], f"participation.wait_for={waits + 1}")


def test_a_plan_for_fewer_lost_clients_than_drop_out_is_warned_about():
    masks = ("strategy=mean", "fixed_point={clip_norm: 10.0}", "participation.dropout=0.1")
    (warning,) = warnings_of(tiny.plan(*masks, "encryption=secagg"))
    assert "planned for at most 0 lost clients of a cohort of 4" in warning
    assert not warnings_of(tiny.plan(*masks, "encryption={name: secagg, dropped: 0.3, corrupt: 0.0}"))
    assert not warnings_of(tiny.plan(*masks, "encryption=shared-key"))
