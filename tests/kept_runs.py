"""A run directory of a model of nine numbers, made by the store that real runs use."""

from dataclasses import replace

import numpy as np

from fedcli.core.rounds import ModelLayout, RoundState
from fedcli.core.vectors import Layout
from fedcli.store.files import manifests
from fedcli.store.new_run import create_run
from fedcli.store.run_store import RunStore

LAYOUT = ModelLayout(
    Layout(("dense/kernel", "dense/bias"), ((2, 2), (2,))),
    Layout(("norm/mean",), ((2,),)),
    Layout(("frozen",), ((1,),)),
)


def state_of(round):
    return RoundState(
        round,
        np.full(6, round, np.float32),
        np.full(2, -round, np.float32),
        np.full(1, 0.5, np.float32),
        server={"velocity": np.full(6, round * 10, np.float32)},
        transforms={"arrival": {"size": np.int64(6)}},
        releases=round,
    )


def advance(run_store, state, rounds, proofs=False, change=lambda state: state):
    """Clients 0 and 1 take turns; each keeps the round of its last one. Each round may leave something behind."""
    for _ in range(rounds):
        after, client = state_of(state.round + 1), state.round % 2
        kept = run_store.shelve(after.round, client, {"statistics": np.full(2, after.round)})
        state = change(replace(after, clients={**state.clients, client: kept}))
        if proofs:
            run_store.deposit(after.round, {"client-00000.bin": bytes(range(after.round)), "sum.bin": b"sum"})
        record = {"round": after.round, "test/loss": 1 / after.round}
        run_store.commit(state, record, [{"round": after.round, "client": client}])
    return state


def forge_manifest(folder, files, **settings):
    """Replace the manifest of a folder by one that is sound in itself, as somebody who knows the format can."""
    (folder / manifests.NAME).unlink(missing_ok=True)
    return manifests.write(folder, files, **settings)


CONFIG = "rounds: 4\ndata: {name: digits, partition: {name: iid, clients: 2}}\nmodel: mlp\n"


def make_run(folder, rounds=4, every=1, config=CONFIG, proofs=False, run="kept"):
    """`rounds` rounds with a checkpoint after every so many, and after the last."""
    create_run(folder, config=config, environment={"run": run, "num_clients": 2})
    run_store = RunStore(folder, LAYOUT, every=every)
    run_store.checkpoint(advance(run_store, run_store.begin(state_of(0)), rounds, proofs))
    run_store.close()
    return folder
