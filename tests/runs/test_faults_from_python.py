"""Faults of components that Python users meet: each is an error of fedcli with the component and its line."""

import numpy as np
import pytest

import fedcli
from fedcli.components.data import Preprocessor

CONFIG = {
    "rounds": 1,
    "data": {"name": "user_parts:blobs", "partition": {"name": "iid", "clients": 4}},
    "model": "logistic",
    "strategy": "mean",
}
HERE = "test_faults_from_python"


def fails(*_args, **_more):
    raise KeyError("missing")


def unshifted():
    return Preprocessor(apply=lambda x, _statistics: x * np.nan)


def misspelt(dataset, _rng):
    return fedcli.make("data.partition", "iid", dataset, np.random.default_rng(0), clients=2)._replace()


def rows_of_floats(dataset, _rng):
    from fedcli import Partition

    return Partition(np.arange(len(dataset.y), dtype=float), [0, len(dataset.y)])


def odd_cohort():
    return fedcli.make("cohort", "full")._replace(expected_size=fails)


@pytest.mark.parametrize(
    ("changed", "error", "said"),
    [
        ({"data.partition": f"{HERE}:misspelt"}, fedcli.ConfigError, "misspelt failed: AttributeError"),
        (
            {"data.partition": f"{HERE}:rows_of_floats"},
            fedcli.ConfigError,
            "The order of a partition is float64",
        ),
        (
            {"data.preprocessing": [f"{HERE}:unshifted"]},
            fedcli.ComponentError,
            "apply of the preprocessing .* NaN",
        ),
        ({"cohort": f"{HERE}:odd_cohort"}, fedcli.ComponentError, r"KeyError: 'missing'\n.*in fails: raise"),
    ],
)
def test_check_names_the_component_and_its_line(changed, error, said):
    with pytest.raises(fedcli.FedcliError, match=said) as caught:
        fedcli.check(CONFIG, **changed)
    assert isinstance(caught.value, error)


def test_a_first_state_that_fails_is_told_by_its_component():
    from fakes import linear_parts

    from fedcli.components.strategies import STRATEGIES

    made = STRATEGIES["mean"]()
    for part, what in (("aggregator", "the aggregator mean"), ("server", "the server optimizer sgd")):
        broken = made._replace(**{part: getattr(made, part)._replace(init=fails)})
        with pytest.raises(
            fedcli.ComponentError, match=rf"init of {what} failed: KeyError: 'missing'\n.*in fails"
        ):
            linear_parts(broken)
        unfit = made._replace(**{part: getattr(made, part)._replace(init=lambda _about: {"of": object()})})
        with pytest.raises(
            fedcli.ComponentError, match=f"init of {what} failed: TypeError: its state of is no array"
        ):
            linear_parts(unfit)


def test_an_executor_is_to_blame_for_what_it_gives():
    from fakes import MemoryStore, SerialExecutor, linear_parts
    from hooked import hooks_of

    from fedcli.components.strategies import STRATEGIES
    from fedcli.engine.loop import run_experiment
    from fedcli.engine.ports import Observer

    class Odd(SerialExecutor):
        def __init__(self, change):
            self.change = change

        def run(self, work, items):
            yield from self.change(list(super().run(work, items)))

    for change, said in (
        (lambda found: found[:3], "it gave 3 outcomes of 5 clients"),
        (lambda found: found[::-1], "it gave the outcome of client 4; that of client 0 is next"),
        (lambda found: [None, *found], "it gave a NoneType; what the work returns is expected"),
        (lambda found: found * 2, "it gave more than 5 outcomes of 5 clients"),
        (fails, "KeyError: 'missing'"),
    ):
        parts, state = linear_parts(STRATEGIES["mean"](), executor=Odd(change))
        with pytest.raises(
            fedcli.ComponentError, match=f"round 1: the executor Odd failed: .*{said}"
        ) as caught:
            run_experiment(parts, state, MemoryStore(), Observer(), hooks_of(parts))
        # The line of whoever wrote the executor.
        assert "test_faults_from_python.py:" in str(caught.value)
