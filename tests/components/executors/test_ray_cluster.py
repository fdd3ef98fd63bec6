"""The executor `ray` on a cluster: two nodes on this machine, of which one is killed in mid-round."""

import re

import pytest
from fakes import MemoryStore
from hooked import hooks_of
from test_ray import Squares
from tiny import assembled, on, source

from fedcli.components.executors import EXECUTORS
from fedcli.core.errors import ConfigError
from fedcli.core.vectors import digest
from fedcli.engine.loop import run_experiment
from fedcli.engine.ports import Observer
from fedcli.runs.lifecycle import Progress, start_run

# Every worker imports TensorFlow.
pytestmark = pytest.mark.slow
pytest.importorskip("ray", reason="pip install 'fedcli[ray]'")


def test_where_there_is_no_cluster_the_error_says_how_to_make_one():
    executor = EXECUTORS["ray"](workers=1, address="127.0.0.1:1")
    with pytest.raises(ConfigError, match=r"(?s)no cluster of Ray at '127.0.0.1:1'.*ray start --head"):
        list(executor.run(Squares(), [1]))
    executor.close()


# A client takes some tenths of a second, so that both nodes are at work when one is killed.
LONG = ["strategy={name: scaffold}", "client.epochs=8000", "rounds=2", "data.partition.clients=12"]


def course(parts, state, watch=None):
    store = MemoryStore()
    observer = Observer() if watch is None else Observer(watch=watch)
    state, _ = run_experiment(parts, state, store, observer, hooks_of(parts))
    return state, store.records


@pytest.fixture
def cluster():
    """Two nodes with a CPU each."""
    import ray
    from ray.cluster_utils import Cluster

    made = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    made.add_node(num_cpus=1)
    yield made
    made.shutdown()
    assert not ray.is_initialized()


def kill_second_node(cluster):
    """As if its power failed; nothing, if that was done before."""
    for node in set(cluster.worker_nodes):
        cluster.remove_node(node, allow_graceful=False)


def test_a_node_that_is_killed_in_mid_round_changes_no_bit(cluster, capsys):
    executor = EXECUTORS["ray"](address=cluster.address)
    try:
        with assembled(*LONG) as (parts, first):
            whole, _ = course(parts, first)

            def watch(done, _planned):
                # Both nodes have clients under way then, and some of them are done.
                if done == 3:
                    kill_second_node(cluster)

            again, records = course(on(executor, parts), first, watch)
            assert executor.num_workers == 2
            assert digest(again.weights) == digest(whole.weights)
            assert again.clients.keys() == whole.clients.keys()
            assert "was lost" in records[0]["workers/lost"]
            assert "trained again" in records[0]["workers/lost"]
            # One that was to take its place may have been sent to the dead node; it had no clients.
            assert "trained again" not in records[1].get("workers/lost", "")
        assert "(raylet)" not in capsys.readouterr().out
    finally:
        executor.close()


def test_a_node_that_is_killed_while_it_adds_a_block_changes_no_bit(cluster, tmp_path):
    overrides = ["strategy={name: scaffold}", "client.epochs=1000", "data={name: 'user_parts:blobs', examples: 400}",
                 "data.partition={name: iid, clients: 64}"]  # fmt: skip
    whole = start_run(source(*overrides), tmp_path / "threads")
    rounds = []

    def watch(done, _planned):
        # The first block of the second round has come, in which clients have states in files of the run directory.
        if rounds and done == 1:
            kill_second_node(cluster)

    on_ray = source(*overrides, f"executor={{name: ray, address: '{cluster.address}'}}")
    found = start_run(on_ray, tmp_path / "ray", progress=Progress(watch=watch, round_end=rounds.append))
    assert "workers/lost" not in rounds[0]
    # A block of 16 or two of them, of which a sentence names five clients.
    assert re.search(r"was lost .*; clients .* and (11|27) more trained again", rounds[1]["workers/lost"])
    assert digest(found.state.weights) == digest(whole.state.weights)
    assert len(found.state.clients) == 64
    for client, kept in whole.state.clients.items():
        assert digest(kept["control"]) == digest(found.state.clients[client]["control"])
