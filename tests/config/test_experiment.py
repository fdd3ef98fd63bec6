"""What a valid file becomes: typed, frozen, complete with defaults."""

import dataclasses
import subprocess
import sys

import pydantic
import pytest

from fedcli.cli.list_parts import SECTIONS
from fedcli.config import Client, Evaluation, Experiment, Part, Section, dump, installed, loads, resolve
from fedcli.config.schema_keys import field_at
from fedcli.core.errors import ConfigError

from .fakes import MINIMAL, REGISTRIES, Order, config, minimal, report

PART = "fedcli_test_plugin"


def experiment(text, *overrides):
    return config(text, *overrides).experiment


def test_every_default_is_filled_in():
    assert experiment(MINIMAL).model_dump() == {
        "name": "experiment",
        "seed": 0,
        "rounds": 3,
        "data": {
            "part": {"name": "digits", "parameters": {"limit": None}},
            "partition": {"name": "iid", "parameters": {"clients": 10}},
            "validation_fraction": 0.2,
            "preprocessing": (
                {"name": "scale", "parameters": {"factor": 0.0625}},
                {"name": "flatten", "parameters": {}},
            ),
        },
        "model": {
            "part": {"name": "mlp", "parameters": {"hidden": (200, 200), "dropout": 0.0}},
            "initial_weights": None,
            "trainable": None,
            "non_trainable": "federated",
            "dtype": "float32",
        },
        "task": {"loss": None, "metrics": None},
        "client": {
            "optimizer": {"name": "sgd", "parameters": {"learning_rate": 0.05, "momentum": 0.0}},
            "schedule": {"name": "constant", "parameters": {}},
            "epochs": 1,
            "steps": None,
            "batch_size": 32,
            "clip_gradient_norm": None,
        },
        "cohort": {"name": "full", "parameters": {}},
        "devices": None,
        "participation": {
            "dropout": 0.0,
            "stragglers": 0.0,
            "partial_work": None,
            "deadline": None,
            "wait_for": None,
            "on_client_error": "reject",
        },
        "strategy": {"name": "weighted", "parameters": {}},
        "compression": None,
        "fixed_point": None,
        "encryption": None,
        "proofs": None,
        "attack": None,
        "privacy": {"reproducible_noise": False, "publish": "all"},
        "average": None,
        "evaluation": {"every": 1, "clients": False, "batch_size": 1000},
        "checkpoint": {"every": 1, "keep_last": None, "keep_best": None},
        "early_stop": None,
        "callbacks": (),
        "executor": {"name": "threads", "parameters": {"workers": None}},
    }


def test_a_bare_name_is_a_part():
    long = minimal("cohort: {name: full}\nexecutor: {name: threads}", model="{name: mlp}")
    assert experiment(minimal("cohort: full\nexecutor: threads")) == experiment(long)


def test_a_dataset_may_be_a_bare_name_as_far_as_the_file_is_concerned(plugin):
    assert experiment(minimal(data=f"{PART}:dealt")).data.part == Part(f"{PART}:dealt", {"path": "here"})


def test_an_attack_has_parameters_beside_the_choice_of_clients():
    read = experiment(minimal("attack: {name: flip, scale: 2, share: 0.2}")).attack
    assert (read.part, read.share, read.clients) == (Part("flip", {"scale": 2.0}), 0.2, None)
    named = experiment(minimal("attack: {name: flip, clients: [3, 0]}"))
    assert named.attack.clients == (3, 0)
    assert config(dump(named)).experiment == named
    assert experiment(minimal("attack: null")) == experiment(MINIMAL)


@pytest.mark.parametrize("strategy", ["krum", "{name: krum}", "{name: krum, num_byzantine: 1}"])
def test_a_strategy_may_have_a_default_cohort_of_its_own(strategy):
    text = MINIMAL + f"strategy: {strategy}\n"
    if "num" in strategy:
        assert experiment(text).cohort == Part("uniform", {"size": 7})
        assert experiment(text, "cohort=full").cohort == Part("full", {})
    else:
        assert "cohort" not in report(text)


@pytest.mark.parametrize("strategy", ["[krum]", "3", "{nmae: krum}"])
def test_a_strategy_without_a_readable_name_leaves_the_cohort_alone(strategy):
    assert "cohort" not in report(MINIMAL + f"strategy: {strategy}\n")


def test_under_central_noise_coins_draw_the_cohort_unless_the_config_says_otherwise():
    text = """
rounds: 1
data: {name: digits, partition: {name: iid, clients: 100}}
model: mlp
strategy: {name: dp-clipped, clip_norm: 1.0, noise_multiplier: 1.0, delta: 1.0e-5}
"""
    assert loads(text).experiment.cohort == Part("poisson", {"rate": 0.1})
    assert "cohort: {name: poisson, rate: 0.1}" in dump(loads(text).experiment)
    assert loads(text, overrides=["cohort=full"]).experiment.cohort == Part("full", {})
    assert loads(text, overrides=["strategy=mean"]).experiment.cohort == Part("full", {})


def test_steps_replace_the_default_epoch():
    assert experiment(minimal("client: {steps: 5}")).client.epochs is None
    assert experiment(minimal("client: {epochs: null}")).client.epochs == 1


def test_preprocessing_that_is_given_replaces_the_dataset_s():
    data = "{name: digits, partition: {name: iid, clients: 2}, preprocessing: %s}"
    assert experiment(minimal(data=data % "[]")).data.preprocessing == ()
    given = experiment(minimal(data=data % "[flatten, {name: scale, factor: 2}]")).data.preprocessing
    assert given == (Part("flatten"), Part("scale", {"factor": 2.0}))


def test_values_take_the_types_of_the_annotations():
    data = "{name: blobs, path: x, order: little, partition: {name: iid, clients: 2}}"
    read = experiment(minimal("client: {schedule: {name: step, milestones: [1, 2]}}", data=data))
    assert read.data.part.parameters == {"path": "x", "order": Order.LITTLE}
    assert read.client.schedule.parameters == {"milestones": [1, 2], "mode": "floor"}


def test_an_integer_will_do_for_a_float():
    fraction = experiment(minimal("client: {clip_gradient_norm: 1}")).client.clip_gradient_norm
    assert (fraction, type(fraction)) == (1.0, float)


def test_the_tuple_s_entries_are_strict_too():
    assert experiment(minimal("task: {metrics: [accuracy]}")).task.metrics == ("accuracy",)


def test_experiments_are_frozen():
    read = experiment(MINIMAL)
    with pytest.raises(pydantic.ValidationError):
        read.seed = 3
    with pytest.raises(dataclasses.FrozenInstanceError):
        read.cohort.name = "uniform"


def sections():
    return [each for each in (Experiment, *Section.__subclasses__()) if each is not Section]


@pytest.mark.parametrize("section", sections())
def test_every_field_says_what_it_is(section):
    assert section.__doc__
    assert [name for name, field in section.model_fields.items() if not field.description] == []


def test_fields_are_found_by_key():
    assert field_at(("client", "epochs")) is Client.model_fields["epochs"]
    assert field_at(("evaluation",)).annotation is Evaluation
    assert field_at(("early_stop", "patience")).description
    assert field_at(("model", "hidden")) is None


def test_dump_reads_well():
    text = dump(experiment(minimal("name: 'no'\nearly_stop: {metric: test/loss, patience: 3}")))
    assert (
        text
        == """\
name: 'no'
seed: 0
rounds: 3
data:
  name: digits
  limit: null
  partition: {name: iid, clients: 10}
  validation_fraction: 0.2
  preprocessing:
  - {name: scale, factor: 0.0625}
  - {name: flatten}
model:
  name: mlp
  hidden: [200, 200]
  dropout: 0.0
  initial_weights: null
  trainable: null
  non_trainable: federated
  dtype: float32
task: {loss: null, metrics: null}
client:
  optimizer: {name: sgd, learning_rate: 0.05, momentum: 0.0}
  schedule: {name: constant}
  epochs: 1
  steps: null
  batch_size: 32
  clip_gradient_norm: null
cohort: {name: full}
devices: null
participation: {dropout: 0.0, stragglers: 0.0, partial_work: null, deadline: null, wait_for: null, \
on_client_error: reject}
strategy: {name: weighted}
compression: null
fixed_point: null
encryption: null
proofs: null
attack: null
privacy: {reproducible_noise: false, publish: all}
average: null
evaluation: {every: 1, clients: false, batch_size: 1000}
checkpoint: {every: 1, keep_last: null, keep_best: null}
early_stop: {metric: test/loss, patience: 3, at_least: null, at_most: null, mode: null}
callbacks: []
executor: {name: threads, workers: null}
"""
    )


@pytest.fixture
def plugin(tmp_path, monkeypatch):
    """A user's module in the working directory, as a user has it."""
    (tmp_path / f"{PART}.py").write_text(
        "VALUE = 3\n"
        "class Box:\n    @staticmethod\n    def make(*, size: int = 1): ...\n"
        "def dealt(seed, *, path: str = 'here', hook=print): ...\n"
        "def hook(*, every: int): ...\n"
        "def clash(seed, *, partition: int = 1): ...\n"
        "def odd(*, x: 'NoSuchType'): ...\n"
        "def strange(*, x: VALUE.__class__.__mro__[1] = None, f: Box = None): ...\n"
    )
    (tmp_path / f"{PART}_broken.py").write_text("import no_such_module_at_all\n")
    (tmp_path / f"{PART}_exits.py").write_text("raise SystemExit(3)\n")
    monkeypatch.setattr(sys, "path", [entry for entry in sys.path if entry])
    monkeypatch.chdir(tmp_path)
    yield
    sys.modules.pop(PART, None)


def test_factories_of_one_s_own(plugin):
    text = minimal(
        f"callbacks: ['{PART}:Box.make', {{name: '{PART}:hook', every: 2}}]", data=f"'{PART}:dealt'"
    )
    read = experiment(text)
    assert read.callbacks == (Part(f"{PART}:Box.make", {"size": 1}), Part(f"{PART}:hook", {"every": 2}))
    # A default that YAML cannot say (`print`) is left to the factory; a user's own dataset needs no partition.
    assert (read.data.part.parameters, read.data.partition, read.data.preprocessing) == (
        {"path": "here"},
        None,
        (),
    )
    assert experiment(dump(read)) == read


def test_a_config_can_be_read_without_importing_what_is_the_users_own(plugin):
    text = minimal(f"callbacks: [{{name: '{PART}_exits:f', every: 2}}]", data=f"'{PART}:dealt'")
    read = loads(text, registries=REGISTRIES.__getitem__, imports=False).experiment
    assert read.callbacks == (Part(f"{PART}_exits:f", {"every": 2}),)
    # Not even the default of its parameter is known.
    assert read.data.part == Part(f"{PART}:dealt", {})
    assert PART not in sys.modules


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("no_such_module_at_all:f", "there is no module no_such_module_at_all"),
        ("fedcli.no_such:f", "there is no module fedcli.no_such"),
        (f"{PART}:hock", "Did you mean hook?"),
        (f"{PART}:VALUE", "is of type int"),
        (f"{PART}:Box.mak", "has no Box.mak"),
        (
            f"{PART}_broken:f",
            f"importing {PART}_broken failed: ModuleNotFoundError: No module named 'no_such",
        ),
        (f"{PART}_exits:f", f"importing {PART}_exits failed: SystemExit: 3"),
        ("a:b:c", "with one colon"),
        (":b", "with one colon"),
        ("a b:c", "with one colon"),
        ("../x:c", "with one colon"),
    ],
)
def test_references_that_lead_nowhere(plugin, name, says):
    with pytest.raises(ConfigError) as caught:
        resolve({}, name, key="strategy.name")
    assert says in str(caught.value)
    assert caught.value.key == "strategy.name"


@pytest.mark.parametrize(
    ("factory", "says"),
    [
        ("odd", "'NoSuchType' is not defined"),
        ("clash", "another key of this section"),
        ("strange", "cannot be read"),
    ],
)
def test_signatures_that_cannot_be_a_schema(plugin, factory, says):
    with pytest.raises(ConfigError, match=says):
        experiment(minimal(data=f"'{PART}:{factory}'"))


def test_resolve_gives_built_ins():
    assert resolve(REGISTRIES["cohort"], "full") is REGISTRIES["cohort"]["full"]


def test_importing_and_loading_is_light():
    code = (
        "import sys, fedcli.config\n"
        "heavy = {'tensorflow', 'keras', 'sklearn', 'rich', 'typer', 'numpy'} & set(sys.modules)\n"
        "sys.exit(f'{heavy}' if heavy else 0)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize(
    "section",
    ["data", "data.partition", "data.preprocessing", "data.default_preprocessing", "model", "client.optimizer",
     "client.schedule", "cohort", "strategy", "executor", "callbacks"],
)  # fmt: skip
def test_fedcli_s_own_registries_are_where_the_table_says(section):
    assert installed(section)


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("FedAvg", "fedavg"),
        ("SCAFFOLD", "scaffold"),
        ("q-FedAvg", "qfedavg"),
        ("trimmed_mean", "trimmed-mean"),
    ],
)
def test_a_name_may_be_spelled_as_papers_spell_it_and_is_written_as_it_is_called(written, name):
    for text in (f"strategy: {written}", f"strategy: {{name: {written}}}"):
        assert loads(f"{MINIMAL}\n{text}").experiment.strategy.name == name
    assert f"name: {name}" in dump(loads(MINIMAL, overrides=[f"strategy={written}"]).experiment)


def test_a_spelling_has_the_default_cohort_of_its_strategy():
    private = "strategy={name: DP-Clipped, clip_norm: 1.0, noise_multiplier: 1.0, delta: 1e-5}"
    assert loads(MINIMAL, overrides=[private]).experiment.cohort.name == "poisson"


@pytest.mark.parametrize("section", SECTIONS.values())
def test_no_two_built_ins_of_a_section_differ_by_spelling_alone(section):
    names = [name.replace("-", "").replace("_", "") for name in installed(section)]
    assert len(names) == len(set(names))
