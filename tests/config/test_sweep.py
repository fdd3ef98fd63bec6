"""What a sweep goes through, from a file and from the command line."""

import pytest

from fedcli.config import ConfigErrors, read_sweep, settings_of
from fedcli.config.sweep_space import Interval, SweepSpace
from fedcli.core.errors import ConfigError


def file_of(tmp_path, sweep):
    path = tmp_path / "sweep.yaml"
    path.write_text(f"config: config.yaml\nsweep:\n{sweep}")
    return path


class TestCommas:
    @pytest.mark.parametrize(
        ("word", "values"),
        [
            ("client.epochs=1,2", (1, 2)),
            ("client.epochs=1..3,7", (1, 2, 3, 7)),
            ("strategy=mean,{name: fedprox, mu: 0.1}", ("mean", {"name": "fedprox", "mu": 0.1})),
            ("model.hidden=[8, 4],[16]", ([8, 4], [16])),
            ("data.path='a,b.csv',c.csv", ("a,b.csv", "c.csv")),
        ],
    )
    def test_those_in_brackets_braces_and_quotes_belong_to_a_value(self, config_file, word, values):
        assert read_sweep(config_file, [word]).axes == {word.partition("=")[0]: values}

    @pytest.mark.parametrize("word", ["strategy={name: fedprox, mu: 0.1}", "model.hidden=[8, 4]", "rounds=5"])
    def test_a_single_value_is_that_of_all_runs(self, config_file, word):
        space = read_sweep(config_file, [word], "0,1")
        assert (space.constants, space.axes, space.seeds) == ((word,), {}, (0, 1))


def test_a_file_has_values_constants_and_seeds(tmp_path):
    sweep = "  values: {client.epochs: [1, 2], strategy: [mean]}\n  set: {rounds: 3}\n  seeds: 0..2\n"
    space = read_sweep(file_of(tmp_path, sweep))
    expected = {"client.epochs": (1, 2), "strategy": ("mean",)}
    assert space == SweepSpace(tmp_path / "config.yaml", ("rounds=3",), expected, (0, 1, 2))
    # The command line replaces what the file says of the same key.
    space = read_sweep(tmp_path / "sweep.yaml", ["client.epochs=3", "rounds=4,5"], "7")
    assert space.constants == ("client.epochs=3",)
    assert space.axes == {"strategy": ("mean",), "rounds": (4, 5)}
    assert space.seeds == (7,)


def test_all_problems_are_in_one_report(tmp_path):
    sweep = (
        "  values: {client.epochs: 1, strategy: [mean, mean]}\n  serach: grid\n  seeds: [x]\n  trials: 0\n"
    )
    with pytest.raises(ConfigErrors) as found:
        read_sweep(file_of(tmp_path, sweep), ["oops", "seed=-1,2"], "1..x")
    report = str(found.value)
    assert "Did you mean search?" in report
    assert "the value 'mean' is there twice" in report
    assert len(found.value.problems) >= 7


def test_a_sweep_of_one_run_is_refused_with_an_example(config_file):
    with pytest.raises(ConfigErrors, match=r"several values, or several seeds[\s\S]*--seeds 0..4"):
        read_sweep(config_file, ["rounds=3"])


class TestSettings:
    def space(self, axes, **rest):
        return SweepSpace(None, (), axes, (), **rest)

    def test_a_grid_is_every_combination_the_last_key_fastest(self):
        found = settings_of(self.space({"a": (1, 2), "b": ("x", "y")}))
        assert [tuple(each.values()) for each in found] == [(1, "x"), (1, "y"), (2, "x"), (2, "y")]

    def test_a_grid_of_an_interval_and_one_that_nobody_waits_for_are_refused(self):
        with pytest.raises(ConfigError, match="b is an interval"):
            settings_of(self.space({"a": (1,), "b": Interval(0.1, 1.0, False)}))
        with pytest.raises(ConfigError, match="1,000,000 runs"):
            settings_of(self.space({key: tuple(range(100)) for key in "abc"}))

    def test_draws_are_distinct_and_more_of_them_begin_with_the_same(self):
        axes = {"rate": Interval(1e-4, 1.0, True), "epochs": Interval(1, 3, False), "strategy": ("a", "b")}
        few, many = (settings_of(self.space(axes, search="random", trials=n)) for n in (5, 40))
        assert many[:5] == few
        assert len({str(each) for each in many}) == 40
        assert {each["epochs"] for each in many} == {1, 2, 3}
        # A uniform logarithm puts half of the draws below the geometric mean.
        assert 10 < sum(each["rate"] < 1e-2 for each in many) < 30

    def test_no_more_is_drawn_than_there_is(self):
        assert len(settings_of(self.space({"a": (1, 2)}, search="random", trials=9))) == 2
        narrow = {"a": Interval(1, 2, False)}
        assert len(settings_of(self.space(narrow, search="random", trials=9))) == 2

    def test_another_seed_draws_others(self):
        axes = {"rate": Interval(0.0, 1.0, False)}
        one, other = (settings_of(self.space(axes, search="random", trials=3, draw_seed=n)) for n in (0, 1))
        assert one != other
