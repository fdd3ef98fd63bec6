"""What bad input gets: one report; each problem with its place, what was received, expected, and what to do."""

import datetime
from pathlib import Path
from typing import Annotated

import pytest
from pydantic import AfterValidator, Field

from fedcli.config import ConfigErrors, Place, Problem, dump, load, loads
from fedcli.config.problems import MAX_SHOWN, printable, show
from fedcli.core.errors import ConfigError, DataError

from .fakes import MINIMAL, REGISTRIES, config, headlines, minimal, report

EIGHT = """\
nmae: x
seed: '7'
rounds: 3.0
data:
  name: digitz
  partition: {name: dirichlet, clients: 10, alfa: 1}
  validation_fraction: 1
model: {name: mlp, hidden: [10, x]}
client:
  epochs: 0
  epochs: 1
  optimizer: {name: adam}
strategy:
  name: krum
  num_byzantine: many
evaluation: {clients: yes}
"""


def test_all_problems_of_a_file_come_in_one_report():
    assert (
        report(EIGHT)
        == """\
c.yaml:1:1  nmae = 'x'
  there is no such key here; the keys are attack, average, callbacks, checkpoint, client, cohort, compression, \
data, devices, early_stop, encryption, evaluation, executor, fixed_point, model, name, participation, privacy, \
proofs, rounds, seed, strategy and task.
  Did you mean name?

c.yaml:2:1  seed = '7'
  an integer is expected; received the text '7'.
  Write 7, without quotes.

c.yaml:3:1  rounds = 3.0
  an integer is expected; received 3.0.
  Write 3.

c.yaml:5:3  data.name = 'digitz'
  there is no component of this name; the names are blobs and digits.
  Did you mean digits? Or name a custom component as package.module:factory.

c.yaml:6:45  data.partition.alfa = 1
  there is no such key in data.partition; the keys are alpha, clients and name.
  Did you mean alpha?

c.yaml:7:3  data.validation_fraction = 1
  a value below 1 is expected; received 1.
  Use validation_fraction < 1.

c.yaml:8:33  model.hidden.1 = 'x'
  an integer is expected; received the text 'x'.
  Write a value such as 10.

c.yaml:10:3  client.epochs = 0
  a value of at least 1 is expected; received 0.
  Use epochs >= 1.

c.yaml:11:3  client.epochs is repeated
  a mapping has each key once; this one is already at c.yaml:10:3.
  Remove one of the two.

c.yaml:12:3  client.optimizer.learning_rate is missing
  it has no default. It is a number.
  Add `learning_rate: ...` to client.optimizer.

c.yaml:15:3  strategy.num_byzantine = 'many'
  an integer or a list is expected; received the text 'many'.
  Write it as in `num_byzantine: 10`.

c.yaml:16:14  evaluation.clients = 'yes'
  true or false or an integer is expected; received the text 'yes'.
  Write true."""
    )


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("seed: -1", "seed = -1\n  a value of at least 0 is expected; received -1.\n  Use seed >= 0."),
        ("seed: 9223372036854775808", "seed = 9223372036854775808\n  an integer lies between -2^63 and 2^63."),
        ("seed: true", "seed = true\n  an integer is expected; received true.\n  Leave it out for the default, 0."),
        ("seed: 010", "seed = '010'\n  an integer is expected; received the text '010'.\n  Write it in decimal"),
        ("seed: 0x1F", "Write it in decimal"),
        ("seed: 1e3", "seed = 1000.0\n  an integer is expected; received 1000.0.\n  Write 1000."),
        ("seed: abc", "an integer is expected; received the text 'abc'.\n  Leave it out for the default, 0."),
        ("seed: [1]", "seed = [1]\n  an integer is expected; received a list."),
        ("seed:", "seed = null\n  an integer is expected; received null."),
        ("name: 7", "name = 7\n  text is expected; received 7.\n  Write it in quotes, \"7\"."),
        ("name: a/b", "name = 'a/b'\n  a name has 1 to 80 letters"),
        ("name: ''", "name = ''\n  a name has 1 to 80 letters"),
        (f"name: {'x' * 81}", "a name has 1 to 80 letters"),
        ("name: \"a\\n\"", "a name has 1 to 80 letters"),
        ("evaluation:", "evaluation = null\n  a mapping of keys is expected; received null."),
        ("evaluation: {every: 0}", "evaluation.every = 0"),
        ("evaluation: {clients: 0}", "evaluation.clients = 0\n  true or false or a value of at least 1 is expected"),
        ("evaluation: {clients: No}", "Write false."),
        ("client: {clip_gradient_norm: 0}", "a value above 0 is expected; received 0.\n  Use clip_gradient_norm > 0."),
        ("client: {clip_gradient_norm: .inf}", "= .inf\n  a finite number is expected; received .inf."),
        ("client: {clip_gradient_norm: .nan}", "= .nan\n  a number is expected; .nan is not a number."),
        ("client: {clip_gradient_norm: '1e-3'}", "Write 1e-3, without quotes."),
        ("client: {epochs: 1, steps: 5}", "steps = 5\n  a client trains for epochs or for steps, not both"),
        ("client: {optimizer: 3}", "optimizer = 3\n  a name, or a mapping with a name, is expected; received 3."),
        ("client: {optimizer: {learning_rate: 1}}", "client.optimizer.name is missing"),
        ("client: {optimizer: {name: 3}}", "optimizer.name = 3\n  the name of a component is expected; received 3."),
        ("client: {optimizer: {name: ''}}", "the name of a component is expected; received the text ''."),
        ("client: {optimizer: {name: sgd, learning_rate: .inf}}", "a finite number is expected; received .inf."),
        ("client: {optimizer: {name: adam, learning_rate: 1, betas: [1]}}", "betas"),
        ("client: {schedule: {name: step, milestones: 3}}", "a list is expected; received 3.\n  Write [3]."),
        ("client: {schedule: {name: step, milestones: [1], mode: flor}}",
         "'floor' or 'ceil' is expected; received the text 'flor'.\n  Did you mean floor?"),
        ("task: {metrics: accuracy}", "metrics = 'accuracy'\n  a list is expected; received the text 'accuracy'.\n  "
                                      "Write ['accuracy']."),
        ("task: {metrics: [1]}", "c.yaml:4:18  task.metrics.0 = 1\n  text is expected"),
        ("cohort: uniform", "c.yaml:4:1  cohort.size is missing\n  it has no default. It is an integer."),
        ("cohort: {size: 3}", "cohort.name is missing"),
        ("cohort: {name: full, size: 3}", "no such key in cohort; the keys are name.\n  It is a parameter of uniform; "
                                          "remove it, or use that name."),
        ("cohort: {name: uniform, size: 0}", "c.yaml:4:25  cohort.size = 0\n  a cohort has at least 1 client"),
        ("cohort: {name: uniform, size: 11}", "c.yaml:4:25  cohort.size = 11\n  a cohort is drawn without replacement "
         "from the clients; data.partition.clients is 10.\n  Use cohort.size <= 10, or data.partition.clients of at"),
        ("checkpoint: {keep_last: 0}", "c.yaml:4:14  checkpoint.keep_last = 0"),
        ("checkpoint: {keep_best: 0}", "c.yaml:4:14  checkpoint.keep_best = 0"),
        ("checkpoint: {keep_best: 1, every: 2}\nevaluation: {every: 3}",
         "c.yaml:4:14  checkpoint.keep_best = 1\n  the best checkpoint is chosen among rounds that are evaluated, and "
         "only the last round is evaluated and has a checkpoint: checkpoint.every is 2, evaluation.every is 3, "
         "rounds is 3.\n  Use checkpoint.every: 3, or remove keep_best."),
        ("early_stop: {metric: validation/loss, patience: 1}",
         "c.yaml:4:14  early_stop.metric = 'validation/loss'\n  validation metrics are measured on the clients"),
        ("average: {decay: 0}", "average.decay = 0\n  a value above 0 is expected; received 0."),
        ("average: {decay: 1.0}", "average.decay = 1.0\n  a value below 1 is expected; received 1.0."),
        ("average: {}", "average.decay is missing"),
        ("average: 0.9", "average = 0.9\n  a mapping of keys is expected; received 0.9."),
        ("early_stop: {patience: 1}", "c.yaml:4:1  early_stop.metric is missing"),
        ("early_stop: {metric: l, patience: 1, mode: lowest}", "'min' or 'max' is expected"),
        ("early_stop: {metric: l, patience: 1, extra: 1}", "the keys are at_least, at_most, metric, mode and patience"),
        ("early_stop: {metric: l}", "early_stop has no rule to stop by: none of patience, at_least"),
        ("callbacks: x:y", "a list of names, or of mappings with a name, is expected; received the text 'x:y'."),
        ("callbacks: [tensorboard]", "c.yaml:4:13  callbacks.0 = 'tensorboard'\n  this section has no built-in "
                                     "components.\n  Name a custom"),
        ("callbacks: [3]", "c.yaml:4:13  callbacks.0 = 3"),
        ("proof: {bits: 20}", "proof = {bits: 20}\n  there is no such key here"),
        ("'': 1", "there is no such key here"),
    ],
)  # fmt: skip
def test_one_wrong_line(line, expected):
    said = report(minimal(line))
    assert expected in said
    assert said.startswith("c.yaml:4:")
    assert "\n\n" not in said, "one mistake, one problem"


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        (
            {"data": "{name: digits}"},
            "c.yaml:2:1  data.partition is missing\n  it has no default. How examples are",
        ),
        ({"data": "digits"}, "Add `partition: {name: iid, clients: 10}` to data."),
        ({"data": "{name: digits, partition: iid}"}, "c.yaml:2:22  data.partition.clients is missing"),
        ({"data": "{partition: {name: iid, clients: 10}}"}, "c.yaml:2:1  data.name is missing"),
        (
            {"data": "{name: digits, partition: {name: iid, clients: 2}, preprocessing: flatten}"},
            "a list of names",
        ),
        (
            {"model": "{name: mlp, non_trainable: global}"},
            "'federated', 'local' or 'frozen' is expected; received the",
        ),
        ({"model": "{name: mlp, trainable: ''}"}, "text of at least 1 characters is expected"),
        ({"model": "{name: mlp, trainabel: x}"}, "Did you mean trainable?"),
        (
            {"model": "[mlp]"},
            "c.yaml:3:1  model = ['mlp']\n  a mapping of keys is expected; received a list.",
        ),
        ({"rounds": "0"}, "c.yaml:1:1  rounds = 0"),
        ({"rounds": "abc"}, "received the text 'abc'.\n  Write it as in `rounds: 10`."),
    ],
)
def test_one_wrong_section(changes, expected):
    said = report(minimal(**changes))
    assert expected in said
    assert "\n\n" not in said


def test_missing_keys_stand_where_their_mapping_begins():
    assert headlines("# a comment\n\nseed: 1") == [
        "c.yaml:3:1  rounds is missing",
        "c.yaml:3:1  data is missing",
        "c.yaml:3:1  model is missing",
    ]


@pytest.mark.parametrize(
    ("attack", "expected"),
    [
        (
            "flip",
            "attack = 'flip'\n  an attack needs malicious clients; neither attack.share nor attack.clients",
        ),
        (
            "{name: flip}",
            "neither attack.share nor attack.clients is given.\n  Add for example `share: 0.2`",
        ),
        (
            "{name: flip, share: 0.2, clients: [1]}",
            "are given by share or by number, not both; attack.share is 0.2.",
        ),
        ("{name: flip, share: 0.0}", "attack.share = 0.0\n  a value above 0 is expected"),
        ("{name: flip, share: 1}", "attack.share = 1\n  a value below 1 is expected"),
        ("{name: flip, clients: []}", "attack.clients = []\n  a list of at least 1 entries is expected"),
        ("{name: flip, clients: [-1]}", "a value of at least 0 is expected; received -1."),
        ("{name: flip, clients: [1.5]}", "an integer is expected; received 1.5."),
        ("{share: 0.2}", "attack.name is missing"),
        ("{name: flop, share: 0.2}", "Did you mean flip?"),
        (
            "{name: flip, share: 0.2, skale: 2}",
            "the keys are clients, name, scale and share.\n  Did you mean scale?",
        ),
    ],
)
def test_an_attack_that_cannot_be_read(attack, expected):
    assert expected in report(minimal(f"attack: {attack}"))


def test_clients_are_evaluated_on_validation_examples():
    data = "{name: digits, partition: {name: iid, clients: 10}, validation_fraction: 0}"
    assert headlines(minimal("evaluation: {clients: true}", data=data)) == [
        "c.yaml:4:14  evaluation.clients = true"
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "c.yaml  is empty"),
        ("# nothing\n", "c.yaml  is empty"),
        ("3", "c.yaml:1:1\n  a mapping of keys is expected; received 3."),
        ("[1]", "a mapping of keys is expected; received a list."),
        ("null", "a mapping of keys is expected; received null."),
    ],
)
def test_a_text_that_is_no_mapping(text, expected):
    assert report(text).startswith(expected) or expected in report(text)


def test_files_that_cannot_be_read(tmp_path):
    (tmp_path / "latin.yaml").write_bytes(b"a: 1\nb: caf\xe9\n")
    (tmp_path / "large.yaml").write_bytes(b"#" * (2**18 + 1))
    expected = {
        "none.yaml": "none.yaml  does not exist",
        "": "is a directory",
        "latin.yaml": "latin.yaml:2:7  is not UTF-8",
        "large.yaml": "large.yaml  is too large",
        "a\0b": "is not a path",
        "latin.yaml/x": "cannot be read",
    }
    for name, says in expected.items():
        with pytest.raises(ConfigErrors) as caught:
            load(f"{tmp_path}/{name}")
        assert says in str(caught.value)


def test_a_byte_order_mark_is_no_problem(tmp_path):
    path = tmp_path / "c.yaml"
    path.write_text(MINIMAL, encoding="utf-8-sig")
    assert load(path, registries=REGISTRIES.__getitem__).experiment == config(MINIMAL).experiment


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (
            ConfigError("m.", key="data.partition.clients", hint="h."),
            "c.yaml:2:45  data.partition.clients = 10\n  m.\n  h.",
        ),
        (ConfigError("m.", key="alpha").under("data.partition"), "c.yaml:2:22  data.partition.alpha\n  m."),
        (DataError("m.", key="path").under("data"), "c.yaml:2:1  data.path\n  m."),
        (ConfigError("m.", key="client.optimizer.learning_rate"), "c.yaml:1:1  client.optimizer.learning_rate = 0.05"),
        (ConfigError("m.", key="data.preprocessing.0.factor"), "c.yaml:2:1  data.preprocessing.0.factor = 0.0625"),
        (ConfigError("m.", key="model"), "c.yaml:3:1  model = 'mlp'"),
        (ConfigError("m.", key="model.hidden"), "c.yaml:3:1  model.hidden = [200, 200]"),
        (ConfigError("two\nlines"), "c.yaml:1:1\n  two\n  lines"),
    ],
)  # fmt: skip
def test_errors_of_the_builder_find_their_place(error, expected):
    located = config(MINIMAL).locate(error)
    assert str(located).startswith(expected)
    assert config(MINIMAL).locate(located) is located
    assert located.under("x") is located


def test_errors_of_the_builder_find_their_override():
    located = config(MINIMAL, "cohort={name: uniform, size: 3}").locate(ConfigError("m.", key="cohort.size"))
    assert str(located) == "override cohort={name: uniform, size: 3}  cohort.size = 3\n  m."


def test_a_report_is_for_reading():
    said = report(minimal("\n".join(f"k{i}: 1" for i in range(MAX_SHOWN + 7))))
    assert said.count("no such key") == MAX_SHOWN
    problems = [Problem(Place("f", 1, 1), f"k{i}", "", "e.") for i in range(MAX_SHOWN + 7)]
    assert str(ConfigErrors(problems)).endswith("\n\n... and 7 more problems.")


def test_control_characters_do_not_reach_the_terminal():
    assert "\x1b" not in report(minimal(r'"k\e[31m": "\e[2J"'))
    assert printable("a\x1b\u202eé") == "a\\x1b\\u202eé"


def test_received_values_are_cut():
    assert len(show(list(range(100_000)))) == 60
    assert len(show({"a": "x" * 10_000})) == 60


def braces(value: int) -> int:
    raise ValueError("a {brace} is no placeholder.")


def every_constraint(
    *,
    at_most: Annotated[int, Field(le=3)] = 0,
    multiple: Annotated[int, Field(multiple_of=2)] = 0,
    long: Annotated[str, Field(min_length=2, max_length=3)] = "ab",
    form: Annotated[str, Field(pattern="^a$")] = "a",
    pair: tuple[int, int] = (0, 0),
    few: Annotated[list[int], Field(max_length=1)] = [],  # noqa: B006 - a default as users write it
    table: dict[str, int] | None = None,
    where: Path = Path("x"),
    unlimited: Annotated[float, Field(allow_inf_nan=True)] = 0.0,
    own: Annotated[int, AfterValidator(braces)] = 0,
    moment: datetime.date = datetime.date(2024, 1, 2),
): ...


@pytest.mark.parametrize(
    ("parameter", "expected"),
    [
        ("at_most: 4", "a value of at most 3 is expected; received 4.\n  Use at_most <= 3."),
        ("multiple: 3", "a multiple of 2 is expected; received 3.\n  Leave it out for the default, 0."),
        ("long: a", "text of at least 2 characters is expected; received the text 'a'."),
        ("long: abcd", "text of at most 3 characters is expected; received the text 'abcd'."),
        ("form: b", "text of the form ^a$ is expected; received the text 'b'."),
        ("pair: [1]", "executor.pair.1 is missing"),
        ("pair: [1, 2, 3]", "a list of at most 2 entries is expected; received a list."),
        ("few: [1, 2]", "a list of at most 1 entries is expected; received a list."),
        (
            "table: [1]",
            "a mapping of keys is expected; received a list.\n  Leave it out for the default, null.",
        ),
        ("table: {a: x}", "executor.table.a = 'x'\n  an integer is expected"),
        ("where: 3", "where = 3\n"),
        ("own: 1", "own = 1\n  a {brace} is no placeholder."),
        ("moment: never", "moment = 'never'\n"),
    ],
)
def test_every_constraint_of_an_annotation_has_its_sentence(parameter, expected):
    registries = {**REGISTRIES, "executor": {"threads": every_constraint}}
    with pytest.raises(ConfigErrors) as caught:
        loads(minimal(f"executor: {{name: threads, {parameter}}}"), "c.yaml", (), registries.__getitem__)
    assert expected in str(caught.value)
    assert len(caught.value.problems) == 1


def test_defaults_of_every_kind_survive_a_dump():
    registries = {**REGISTRIES, "executor": {"threads": every_constraint}}.__getitem__
    read = loads(minimal("executor: {name: threads, unlimited: .inf}"), registries=registries).experiment
    # `own` refuses its own default, which is then the factory's business.
    assert read.executor.parameters == {
        "at_most": 0, "multiple": 0, "long": "ab", "form": "a", "pair": (0, 0), "few": [], "table": None,
        "where": Path("x"), "unlimited": float("inf"), "moment": datetime.date(2024, 1, 2),
    }  # fmt: skip
    assert loads(dump(read), registries=registries).experiment == read


@pytest.mark.parametrize(
    ("override", "hint"),
    [
        ("deadline=3", "Did you mean participation.deadline?"),
        ("learning_rate=0.1", "Did you mean client.optimizer.learning_rate or"),
        ("clients=5", "Did you mean client, data.clients, data.partition.clients or attack.clients?"),
        ("client.metrics=[accuracy]", "Did you mean task.metrics?"),
        (
            "data.clients=5",
            "Did you mean data.partition.clients? Here it is a parameter of synthetic and synthetic_regression only.",
        ),
        ("client.epocs=3", "Did you mean epochs?"),
    ],
)
def test_a_key_of_another_place_is_answered_with_that_place(override, hint):
    with pytest.raises(ConfigErrors) as caught:
        loads(MINIMAL, overrides=[override])
    assert hint in str(caught.value)
