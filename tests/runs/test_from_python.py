"""What `import fedcli` offers: configs in four forms, and components as Python objects."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tiny
import user_parts

import fedcli
from fedcli import config
from fedcli.config import ConfigErrors
from fedcli.core.errors import ConfigError
from fedcli.runs.verification import planned_run, verify_run
from fedcli.runs.verification.plan_checks import checked_plan


def midrange():
    """Half-way between the smallest and the largest value of each coordinate."""

    def aggregate(updates, num_parameters, state):
        rows = np.array([update.payload for update in updates]).reshape(-1, num_parameters)
        middle = (rows.min(0) + rows.max(0)) / 2 if len(rows) else np.zeros(num_parameters)
        return fedcli.Aggregate(middle, float(len(rows) > 0)), state

    return fedcli.Aggregator("midrange", lambda size: {}, aggregate, accepts=("vector",), is_sum=False)


def strategy():
    return fedcli.make("strategy", "mean")._replace(name="mine", aggregator=midrange())


def pairs():
    """Two clients in every round, whoever they are."""
    return fedcli.make("cohort", "uniform", size=2)._replace(name="pairs")


def small(input_shape, num_outputs):
    import keras

    return keras.Sequential([keras.Input(input_shape), keras.layers.Dense(num_outputs, name="only")])


def stop(after=1):
    def on_round_end(_run, _state, record):
        return f"{after} rounds are enough" if record["round"] >= after else None

    return fedcli.Callback(on_round_end=on_round_end)


OBJECTS = {
    "dataset": lambda: user_parts.blobs(0),
    "model": lambda: small,
    "cohort": pairs,
    "strategy": strategy,
    "aggregator": midrange,
    "callbacks": lambda: [stop(after=2)],
}
QUICK = {"strategy", "callbacks"}
SOME_SLOW = [name if name in QUICK else pytest.param(name, marks=pytest.mark.slow) for name in OBJECTS]
PLACEHOLDERS = {
    "dataset": ("data.name", "<object:Dataset>"),
    "model": ("model.name", "<object:small>"),
    "cohort": ("cohort.name", "<object:pairs>"),
    "strategy": ("strategy.name", "<object:mine>"),
    "aggregator": ("strategy.aggregator.name", "<object:midrange>"),
    "callbacks": ("callbacks.0.name", "<object:Callback>"),
}


def bits(run):
    return {name: array.tobytes() for name, array in run.weights().items()}


def at(values, key):
    for step in key.split("."):
        values = values[int(step)] if isinstance(values, list) else values[step]
    return values


class TestImport:
    def test_import_fedcli_loads_no_library(self):
        watched = ("numpy", "yaml", "pydantic", "typer", "rich", "tensorflow", "keras")
        program = f"import sys, fedcli; print([name for name in {watched} if name in sys.modules])"
        done = subprocess.run(
            [sys.executable, "-c", program], capture_output=True, text=True, timeout=600, check=True
        )
        assert done.stdout.strip() == "[]"

    def test_every_name_is_there_and_has_a_docstring_of_its_own(self):
        assert len(fedcli.__all__) > 50
        assert set(fedcli.__all__) <= set(dir(fedcli))
        for name in fedcli.__all__:
            found = getattr(fedcli, name)
            assert found.__name__ == name
            assert found.__doc__

    def test_the_names_for_checkers_are_the_names_for_python(self):
        source = Path(fedcli.__file__).read_text(encoding="utf-8")
        imported = [line.split() for line in source.splitlines() if line.startswith("    from fedcli.")]
        assert {(words[1], words[3]) for words in imported} == {
            (module, name) for name, module in fedcli._HOMES.items()
        }
        assert all(words[3] == words[-1] for words in imported)

    def test_a_name_that_is_not_there_is_an_attribute_error(self):
        with pytest.raises(AttributeError, match="module fedcli has no attribute start"):
            fedcli.start  # noqa: B018


class TestLoad:
    def test_a_path_a_text_a_mapping_and_a_config_are_the_same(self, tmp_path):
        path = tmp_path / "tiny.yaml"
        path.write_text(tiny.YAML)
        mapping = json.loads(json.dumps(config.flat(fedcli.load(tiny.YAML).experiment)))
        forms = [path, str(path), tiny.YAML, mapping, fedcli.load(path)]
        loaded = [fedcli.load(form, ["rounds=5", "client.epochs=3"]).experiment for form in forms]
        assert all(each == loaded[0] for each in loaded)
        assert (loaded[0].rounds, loaded[0].client.epochs) == (5, 3)

    def test_one_override_may_be_a_text(self):
        assert fedcli.load(tiny.YAML, "rounds=5").experiment.rounds == 5

    def test_all_problems_come_at_once(self):
        with pytest.raises(fedcli.ConfigErrors) as raised:
            fedcli.load({"rounds": 0, "model": "mpl"})
        assert {problem.key for problem in raised.value.problems} == {"rounds", "data", "model.name"}

    def test_a_value_that_no_config_has_is_named(self):
        with pytest.raises(
            ConfigErrors, match=r"model.hidden.1 is of type ndarray\s+a config has texts, numbers"
        ):
            fedcli.load({"rounds": 1, "model": {"name": "mlp", "hidden": [3, np.zeros(2)]}})

    def test_an_object_needs_no_name_in_the_config(self):
        source = {"rounds": 1, "data": {"partition": {"name": "iid", "clients": 4}}}
        made = fedcli.load(source, dataset=user_parts.blobs(0), model=small)
        assert made.experiment.data.partition.parameters["clients"] == 4

    def test_keys_of_the_section_stay_and_parameters_of_the_replaced_component_go(self):
        made = fedcli.load(tiny.YAML, model=small, dataset=user_parts.blobs(0)).experiment
        assert made.model.part.parameters == {}
        assert made.data.validation_fraction == 0.2

    def test_an_unknown_argument_is_refused(self):
        with pytest.raises(
            ConfigError, match=r"roundz = 3\n  there is no such key here.*\n  Did you mean rounds\?"
        ):
            fedcli.load(tiny.YAML, roundz=3)
        with pytest.raises(ConfigError, match="optimiser is of type object"):
            fedcli.load(tiny.YAML, optimiser=object())


class TestKeywords:
    @pytest.mark.parametrize(
        ("words", "keywords"),
        [
            (["rounds=5"], {"rounds": 5}),
            (["client.epochs=2"], {"client": {"epochs": 2}}),
            (["client.epochs=2"], {"client.epochs": np.int64(2)}),
            (["client.optimizer.learning_rate=0.5"], {"client": {"optimizer": {"learning_rate": np.float64(0.5)}}}),
            (["strategy={name: fedprox, mu: 0.3}"], {"strategy": {"name": "fedprox", "mu": 0.3}}),
            (["strategy=mean", "cohort.name=full"], {"strategy": "mean", "cohort": {"name": "full"}}),
            (["task.metrics=[accuracy]"], {"task": {"metrics": ("accuracy",)}}),
            (["early_stop=null"], {"early_stop": None}),
            (["callbacks=['user_parts:not_a_part']"], {"callbacks": ["user_parts:not_a_part"]}),
        ],
        ids=str,
    )  # fmt: skip
    def test_they_are_the_overrides_of_the_command_line(self, words, keywords):
        assert fedcli.load(tiny.YAML, **keywords).experiment == fedcli.load(tiny.YAML, words).experiment

    @pytest.mark.parametrize(
        ("word", "keywords"),
        [
            ("roundz=3", {"roundz": 3}),
            ("client.epoch=2", {"client": {"epoch": 2}}),
            ("rounds=0", {"rounds": 0}),
            ("dataset=digits", {"dataset": "digits"}),
            ("seed..x=1", {"seed..x": 1}),
        ],
    )
    def test_a_problem_reads_as_on_the_command_line(self, word, keywords):
        said = []
        for overrides, changed in (([word], {}), ([], keywords)):
            with pytest.raises(fedcli.ConfigErrors) as raised:
                fedcli.load(tiny.YAML, overrides, **changed)
            said.append(str(raised.value))
        assert said[0] == said[1]

    def test_they_come_after_the_overrides_and_go_with_objects(self):
        made = fedcli.load(tiny.YAML, ["rounds=5", "seed=3"], rounds=4, cohort=pairs()).experiment
        assert (made.rounds, made.seed, made.cohort.name) == (4, 3, "<object:pairs>")


class TestCheck:
    def test_it_tells_what_a_round_costs(self):
        cost = fedcli.check(tiny.YAML, ["model={name: mlp, hidden: [3]}"])
        assert (cost["clients"], cost["parameters"]) == (4, 4 * 3 + 3 + 3 * 3 + 3)

    def test_it_counts_the_weights_of_a_model_that_is_an_object(self):
        assert fedcli.check(tiny.YAML, model=small)["parameters"] == 4 * 3 + 3

    @pytest.mark.parametrize(
        ("objects", "said"),
        [
            (
                {"dataset": 3},
                "the argument dataset  data.name .*\n  the object is a int; a fedcli Dataset or",
            ),
            ({"strategy": 3}, "the object is a int; a fedcli Strategy is expected"),
            ({"aggregator": 3}, "the object is a int; a fedcli Aggregator is expected"),
            ({"cohort": 3}, "the object is a int; a fedcli Cohort is expected"),
            ({"model": 3}, "the object is a int; a function"),
        ],
    )
    def test_an_object_of_another_type_is_refused_with_its_place(self, objects, said):
        with pytest.raises(ConfigErrors, match=said):
            fedcli.check(tiny.YAML, **objects)

    def test_a_built_model_is_refused(self):
        with pytest.raises(
            ConfigErrors, match=r"a function .* is expected.\n  Give the function that builds"
        ):
            fedcli.check(tiny.YAML, model=small((4,), 3))

    def test_callbacks_are_a_list(self):
        with pytest.raises(ConfigError, match="callbacks is a list of callbacks; received a Callback"):
            fedcli.check(tiny.YAML, callbacks=stop())

    def test_a_strategy_and_an_aggregator_are_not_both_given(self):
        with pytest.raises(ConfigError, match="were both given as objects"):
            fedcli.load(tiny.YAML, strategy=strategy(), aggregator=midrange())

    def test_noise_that_is_left_to_epsilon_is_refused(self):
        parameters = {"clip_norm": 1.0, "noise_multiplier": None, "epsilon": 8.0, "delta": 1e-3}
        private = fedcli.make("strategy", "dp-clipped", **parameters)
        with pytest.raises(ConfigErrors, match="only for a strategy that the config names"):
            fedcli.check(tiny.YAML, ["cohort={name: poisson, rate: 0.5}"], strategy=private)


class TestObjects:
    @pytest.mark.parametrize("name", SOME_SLOW)
    def test_it_runs_is_recorded_and_resumes_to_the_same_bits(self, name, tmp_path):
        given = {name: OBJECTS[name]()}
        whole = fedcli.run(tiny.YAML, folder=tmp_path / "whole", **given)
        halt = _halting_after_round_1()
        with pytest.raises(KeyboardInterrupt):
            fedcli.run(tiny.YAML, folder=tmp_path / "run", progress=halt, **{name: OBJECTS[name]()})

        key, placeholder = PLACEHOLDERS[name]
        written = config.flat(fedcli.open_run(tmp_path / "run").config.experiment)
        assert at(written, key) == placeholder
        with pytest.raises(ConfigError, match=rf"config.yaml:\d+:\d+  .*{placeholder}"):
            fedcli.resume(tmp_path / "run")
        result = fedcli.resume(tmp_path / "run", **{name: OBJECTS[name]()})
        assert result.rounds[-1] == whole.rounds[-1] == 2
        assert bits(result) == bits(whole)

    @pytest.mark.parametrize("name", SOME_SLOW)
    def test_evaluate_and_verify_say_what_they_need(self, name, tmp_path):
        folder = fedcli.run(
            tiny.YAML, ["rounds=1"], folder=tmp_path / "run", **{name: OBJECTS[name]()}
        ).folder
        assert verify_run(folder).holds
        if name != "callbacks":
            with pytest.raises(ConfigError, match="started from Python with an object here"):
                fedcli.evaluate(folder)
        facts = fedcli.evaluate(folder, **{name: OBJECTS[name]()})
        assert facts["accuracy"] == fedcli.open_run(folder).records[-1]["test/accuracy"]

    @pytest.mark.slow
    def test_another_object_than_at_the_start_is_refused(self, tmp_path):
        folder = fedcli.run(tiny.YAML, ["rounds=1"], folder=tmp_path / "run", cohort=pairs()).folder
        with pytest.raises(ConfigError, match="was started with <object:pairs> here; received <object:full>"):
            fedcli.resume(folder, cohort=fedcli.make("cohort", "full"))
        with pytest.raises(ConfigError, match=r"was started with weighted here; received <object:mine>"):
            fedcli.resume(folder, cohort=pairs(), strategy=strategy())
        with pytest.raises(ConfigError, match="started with 0 callbacks given as objects; received 1"):
            fedcli.resume(folder, cohort=pairs(), callbacks=[stop()])

    def test_the_bits_are_those_of_the_component_that_a_config_names(self, tmp_path):
        named = fedcli.run(tiny.YAML, folder=tmp_path / "named")
        given = fedcli.run(
            tiny.YAML,
            folder=tmp_path / "given",
            dataset=user_parts.blobs(0),
            strategy=fedcli.make("strategy", "weighted"),
            cohort=fedcli.make("cohort", "full"),
        )
        assert bits(given) == bits(named)

    def test_an_aggregator_replaces_that_of_the_strategy_that_the_config_names(self, tmp_path):
        overrides = ["strategy={name: fedprox, mu: 0.3}"]
        with_rule = fedcli.load(tiny.YAML, overrides, aggregator=fedcli.make("strategy.aggregator", "median"))
        assert with_rule.experiment.strategy.client.parameters == {"mu": 0.3}
        assert with_rule.experiment.strategy.aggregator.name == "<object:median>"

    def test_an_aggregator_that_does_not_fit_is_refused_at_the_strategy(self):
        median = fedcli.make("strategy.aggregator", "median")
        with pytest.raises(
            ConfigErrors, match=r"<text>:11:1  strategy\.weighting = 'examples'\n  median does not"
        ):
            fedcli.check(tiny.YAML, aggregator=median)
        without = "\n".join(line for line in tiny.YAML.splitlines() if "strategy" not in line)
        with pytest.raises(ConfigErrors, match=r"the default of strategy  strategy\.weighting"):
            fedcli.check(without, aggregator=median)

    def test_callbacks_come_after_those_of_the_config(self, tmp_path):
        overrides = ["callbacks=[user_parts:not_a_part]"]
        names = [
            part.name for part in fedcli.load(tiny.YAML, overrides, callbacks=[stop()]).experiment.callbacks
        ]
        assert names == ["user_parts:not_a_part", "<object:Callback>"]

    def test_a_federation_needs_no_partition(self, tmp_path):
        source = {"rounds": 1, "data": {}, "model": "logistic", "cohort": {"name": "uniform", "size": 3}}
        result = fedcli.run(source, folder=tmp_path / "run", dataset=user_parts.Many(1000))
        assert result.records[-1]["clients/finished"] == 3

    @pytest.mark.parametrize("name", sorted(set(OBJECTS) - {"callbacks"}))
    def test_processes_refuse_objects_before_anything_is_written(self, name, tmp_path):
        overrides = ["executor={name: processes, workers: 1}"]
        with pytest.raises(ConfigErrors, match="components that exist only in this process"):
            fedcli.run(tiny.YAML, overrides, folder=tmp_path / "run", **{name: OBJECTS[name]()})
        assert not (tmp_path / "run").exists()

    @pytest.mark.slow
    def test_processes_take_callbacks_that_are_objects(self, tmp_path):
        overrides = ["executor={name: processes, workers: 1}"]
        result = fedcli.run(tiny.YAML, overrides, folder=tmp_path / "run", callbacks=[stop()])
        assert result.ending == "1 rounds are enough"


def _halting_after_round_1():
    def halt(record):
        if record["round"] == 1:
            raise KeyboardInterrupt

    return fedcli.Progress(round_end=halt)


class TestVerify:
    @pytest.mark.parametrize(
        "strategy",
        [
            "<object:mine>",
            {"aggregator": "<object:midrange>"},
            {"transforms": ["module_that_is_not_there:factory"]},
            {"client": "module_that_is_not_there:factory"},
        ],
    )
    def test_what_is_not_fedclis_own_is_named_and_not_imported(self, strategy, tmp_path):
        source = {**config.flat(tiny.source().experiment), "strategy": strategy}
        (tmp_path / "config.yaml").write_text(json.dumps(source))
        (tmp_path / "environment.json").write_text('{\n "run": "a run",\n "num_clients": 4\n}\n')
        recipe = planned_run.read_recipe(tmp_path)
        (named,) = recipe.custom_server
        assert named.startswith("strategy")
        said = [finding.sentence for finding in checked_plan(tmp_path, recipe, [], is_kept=False)]
        assert any(f"names a custom component, which is not imported ({named})" in each for each in said)
