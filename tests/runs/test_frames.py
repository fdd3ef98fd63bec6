"""Runs as tables: lists and comparisons, and what is shown of runs whose texts somebody else chose."""

import pandas as pd
import pytest
from kept_runs import make_run

import fedcli

CONFIG = (
    "name: {name}\nseed: {seed}\nrounds: 4\ndata: {{name: digits, partition: {{name: iid, clients: 2}}}}\n"
    "model: mlp\nstrategy: {strategy}\n"
)


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    root = tmp_path_factory.mktemp("frames") / "runs"
    for name, strategy, seed in (("a", "mean", 0), ("b", "mean", 1), ("c", "fedsgd", 0), ("d", "fedsgd", 1)):
        config = CONFIG.format(name=name, strategy=strategy, seed=seed)
        make_run(root / name, 2 + seed, config=config, run=name)
    return root


def test_a_list_has_a_line_for_each_run(root):
    table = fedcli.list_runs(root)
    assert table.index.tolist() == [1, 2, 3, 4]
    assert set(table["strategy"]) == {"mean", "fedsgd"}
    assert table.loc[table["name"] == "b", ["rounds", "last", "metric"]].values.tolist() == [
        [3, 1 / 3, "test/loss"]
    ]
    assert fedcli.list_runs(root / "absent").empty


def test_a_comparison_has_a_line_for_each_group_and_the_keys_that_differ(root):
    table = fedcli.compare([root / name for name in "abcd"])
    assert table.index.tolist() == ["a", "c"]
    assert table["strategy.name"].tolist() == ["mean", "fedsgd"]
    assert table["runs"].tolist() == [2, 2]
    assert table["last"].tolist() == pytest.approx([5 / 12, 5 / 12])
    assert table["last +-"].tolist() == pytest.approx([1 / 6 / 2**0.5] * 2)
    assert table["pairs"].iloc[1] == 2
    assert pd.isna(table["pairs"].iloc[0])


def test_runs_may_be_objects_and_one_plot_has_them_all(root):
    first, second = fedcli.open_run(root / "a"), fedcli.open_run(root / "c")
    assert len(fedcli.compare([first, second])) == 2
    (axes,) = first.plot(second).axes
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["a", "c"]


def test_texts_of_a_run_are_escaped_and_a_damaged_run_is_shown(tmp_path):
    run = fedcli.open_run(make_run(tmp_path / "<b>run</b>", 1))
    assert "<b>" not in run._repr_html_()
    assert "&lt;b&gt;run" in run._repr_html_()
    (run.folder / "environment.json").unlink()
    assert repr(run) == f"<fedcli run {run.folder}: damaged>"


def test_a_log_without_rounds_is_refused(tmp_path):
    run = fedcli.open_run(make_run(tmp_path / "run", 1))
    (run.folder / "metrics.jsonl").write_text('{"loss": 1}\n')
    with pytest.raises(fedcli.RunError, match="has records without a round"):
        run.metrics()
