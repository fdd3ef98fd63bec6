"""`fedcli partition`."""

import csv
import io
import json

import pytest


def test_it_prints_sizes_classes_and_distances_and_writes_a_picture(fedcli, tmp_path):
    said = fedcli("partition", "tiny.yaml", "-o", "split.svg")
    assert said.exit_code == 0, said.output
    lines = said.stdout.splitlines()
    assert lines[0] == "digits, {name: iid, clients: 3}"
    assert lines[1].endswith("3 clients, 1,438 examples, 10 classes")
    assert [line.split()[:2] for line in lines if line[:1].isdigit()] == [
        ["0", "479"],
        ["1", "479"],
        ["2", "480"],
    ]
    assert "<svg" in (tmp_path / "split.svg").read_text()


@pytest.mark.parametrize("columns", [60, 80, 120])
@pytest.mark.parametrize(
    "change",
    [
        "data.partition.clients=900",
        "data.partition.clients=12",
        "data={name: synthetic_regression, partition: {name: iid, clients: 3}}",
    ],
)
def test_no_line_is_wider_than_the_terminal(fedcli, monkeypatch, columns, change):
    monkeypatch.setenv("COLUMNS", str(columns))
    said = fedcli("partition", "tiny.yaml", change)
    assert said.exit_code == 0, said.output
    # The lines of facts are for a pipe here, in which nothing is broken.
    table = said.stdout.split("\n\n")[1].splitlines()
    assert max(map(len, table)) <= columns
    assert len(table) < 35


def test_csv_and_json_have_a_line_for_each_client(fedcli):
    table = list(csv.DictReader(io.StringIO(fedcli("partition", "tiny.yaml", "--csv").stdout)))
    facts = json.loads(fedcli("partition", "tiny.yaml", "--json").stdout)
    assert len(table) == len(facts["clients"]) == facts["num_clients"] == 3
    assert sum(int(row["class 0"]) for row in table) == 143
    assert facts["mean_earth_movers"] == pytest.approx(2 * facts["mean_total_variation"])


def test_what_is_no_picture_is_refused(fedcli):
    said = fedcli("partition", "tiny.yaml", "-o", "split.jpeg")
    assert said.exit_code == 2
    assert "ends in .png, .svg or .pdf" in said.stderr
