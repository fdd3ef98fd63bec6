"""The executor `ray` on a cluster: two nodes on this machine, of which one is killed in mid-round."""

import pytest
from fakes import MemoryStore
from hooked import hooks_of
from test_ray import Squares
from tiny import assembled, on

from fedcli.components.executors import EXECUTORS
from fedcli.core.errors import ConfigError
from fedcli.core.vectors import digest
from fedcli.engine.loop import run_experiment
from fedcli.engine.ports import Observer

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


def test_a_node_that_is_killed_in_mid_round_changes_no_bit():
    import ray
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    second = cluster.add_node(num_cpus=1)
    executor = EXECUTORS["ray"](address=cluster.address)
    try:
        with assembled(*LONG) as (parts, first):
            whole, _ = course(parts, first)

            def watch(done, _planned):
                # Both nodes have clients under way then, and some of them are done.
                if done == 3 and second in cluster.worker_nodes:
                    cluster.remove_node(second, allow_graceful=False)

            again, records = course(on(executor, parts), first, watch)
            assert executor.num_workers == 2
            assert digest(again.weights) == digest(whole.weights)
            assert again.clients.keys() == whole.clients.keys()
            assert "was lost" in records[0]["workers/lost"]
            assert "trained again" in records[0]["workers/lost"]
            assert "workers/lost" not in records[1]
    finally:
        executor.close()
        cluster.shutdown()
    assert not ray.is_initialized()
