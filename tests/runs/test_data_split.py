"""How data are divided: distances on tiny literals, splits of real partitions, and their picture."""

from pathlib import Path

import numpy as np
import pytest

from fedcli import config
from fedcli.components.data import PARTITIONS, Dataset, federate
from fedcli.components.data.generated import Drawn, GeneratedDataset
from fedcli.components.data.partitions import Partition
from fedcli.core.rounds import ClientData
from fedcli.runs.data_split import (
    DataSplit,
    Whole,
    label_earth_movers,
    split_of,
    split_of_federation,
    target_earth_movers,
    total_variation,
)
from fedcli.runs.split_picture import split_picture

ROOT = Path(__file__).parents[2]


class TestDistances:
    def test_equal_clients_are_at_no_distance(self):
        assert total_variation(np.array([[2, 4], [1, 2]])).tolist() == pytest.approx([0.0, 0.0])

    def test_two_clients_of_one_class_each(self):
        # Half of each client's labels would have to change.
        counts = np.array([[5, 0], [0, 5]])
        assert total_variation(counts).tolist() == [0.5, 0.5]
        assert label_earth_movers(counts).tolist() == [1.0, 1.0]

    def test_a_small_client_of_a_rare_class_is_almost_at_one(self):
        assert total_variation(np.array([[1, 0], [0, 99]])).tolist() == pytest.approx([0.99, 0.01])

    def test_a_shift_of_targets_is_its_own_distance(self):
        low, high = np.array([0.0, 0.0]), np.array([4.0, 4.0])
        # Each is 2 away from the half that is not its own; all targets have the deviation 2.
        assert target_earth_movers([low, high]).tolist() == pytest.approx([1.0, 1.0])
        # Another unit changes nothing, and a target that is constant is at no distance.
        table = [np.stack([1000 * each, np.ones(2)], axis=1) for each in (low, high)]
        assert target_earth_movers(table).tolist() == pytest.approx([0.5, 0.5])


def dataset(y, task="classification", **rest):
    y, num = np.array(y), 3 if task == "classification" else 1
    x = np.zeros((len(y), 2), np.float32)
    return Dataset(x, y, x[:1], y[:1], task, num, **rest)


def federation(data, owners):
    return federate(data, Partition.from_owners(np.array(owners), 2), validation_fraction=0.5, root_seed=1)


def test_counts_are_those_of_all_examples_also_for_validation():
    data = dataset([0, 0, 1, 2, 2, 2], class_names=("cat", "dog", "owl"))
    split = split_of_federation(federation(data, [0, 0, 0, 1, 1, 1]))
    assert split.classes == ("cat", "dog", "owl")
    assert split.counts.tolist() == [[2, 1, 0], [0, 0, 3]]
    assert split.sizes.tolist() == [3, 3]
    assert split.num_validation.tolist() == [1, 1]
    assert split.mean(split.total_variation) == pytest.approx(0.5)


def test_targets_have_quantiles_and_no_counts():
    split = split_of_federation(federation(dataset([0.0, 1.0, 2.0, 10.0], "regression"), [0, 0, 0, 1]))
    assert split.classes == ()
    assert split.quantiles[:, 2].tolist() == [1.0, 10.0]
    assert len(split.total_variation) == 0
    assert (split.earth_movers > 0).all()


def test_a_federation_of_its_own_is_read_client_by_client_also_with_one_hot_labels():
    class Own:
        num_clients, task, num_outputs = 2, "classification", 2
        num_train, num_validation = np.array([2, 1]), np.array([0, 1])

        def client(self, client):
            labels = np.eye(2)[[client] * 2]
            cut = self.num_train[client]
            return ClientData(None, labels[:cut], None, labels[cut:])

    assert split_of_federation(Own()).counts.tolist() == [[2, 0], [0, 2]]


def test_the_split_of_a_config_is_that_which_is_trained_on():
    source = config.load(ROOT / "configs/quickstart.yaml", ["data.partition={name: iid, clients: 3}"])
    split = split_of(source)
    assert split.sizes.sum() == 1438
    assert split.counts.sum(1).tolist() == split.sizes.tolist()
    assert split.mean(split.total_variation) < 0.1


def test_of_a_million_clients_a_sample_is_drawn():
    drawn = []

    def draw(client):
        drawn.append(client)
        return Drawn(np.zeros((3, 1), np.float32), np.array([0, 1, 1]))

    dataset = GeneratedDataset(
        np.full(1_000_000, 2), draw, test_clients=1, task="classification", num_outputs=2
    )
    split = split_of_federation(federate(dataset, PARTITIONS["natural"](dataset, None), root_seed=7))
    assert split.is_sample
    assert split.whole == Whole(1_000_000, 2_000_000, 0)
    assert len(split.names) == len(drawn) == 1_000
    assert (split.names[0], split.names[-1]) == ("0", "999999")
    assert (split.counts == 1).all()


@pytest.mark.parametrize("num_clients", [2, 60])
@pytest.mark.parametrize("num_classes", [0, 3])
def test_a_picture_is_1600_pixels_wide(num_clients, num_classes):
    one = np.ones(num_clients, np.int64)
    split = DataSplit(
        "classification" if num_classes else "regression", tuple("a" * num_clients), one, one,
        tuple("xyz")[:num_classes], np.ones((num_clients, num_classes), np.int64),
        np.zeros((num_clients, 0 if num_classes else 5)), np.zeros(num_clients if num_classes else 0),
        np.zeros(num_clients), Whole(num_clients, num_clients, num_clients),
    )  # fmt: skip
    picture = split_picture(split, "$x <title>")
    assert picture.startswith(b"\x89PNG")
    assert int.from_bytes(picture[16:20]) == 1600
