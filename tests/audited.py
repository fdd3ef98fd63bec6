"""A run directory with proofs, as small as one gets: the real store, two clients of a linear model, three rounds.

The second round is void. What an adversary can do who knows the format is below: change a file, and write the manifests
of everything behind it anew, so that only the cryptography and the replay are left to tell.
"""

import hashlib
import json
import math
from dataclasses import replace

import numpy as np
import rfc8785
from fakes import LinearFederation, LinearRuntime, linear_parts
from hooked import hooks_of
from kept_runs import forge_manifest

from fedcli import config
from fedcli.core.errors import InvalidUpdateError
from fedcli.crypto.ed25519 import KeyRing, head_message, public_of, sign, statements_message
from fedcli.engine import loop
from fedcli.engine.ports import Observer
from fedcli.experiment.assemble import initial_state
from fedcli.experiment.make import make
from fedcli.experiment.planned_protocol import planned_protocol
from fedcli.experiment.protection.order import in_the_clear
from fedcli.experiment.protection.privacy_document import privacy_document, private_plan
from fedcli.privacy import RunFacts
from fedcli.runs.identities import PublicKeys, signer_of
from fedcli.runs.verification.evidence import read_round_link
from fedcli.runs.verification.proof_files import Malformed, read_evidence
from fedcli.runs.verification.round_statement import read_round
from fedcli.store import round_folders
from fedcli.store.files import durable, npz
from fedcli.store.new_run import create_run
from fedcli.store.run_store import RunStore
from fedcli.testing.changes import changed

CONFIG = """
name: audited
rounds: 3
data: {name: digits, partition: {name: iid, clients: 2}}
model: {name: logistic}
strategy: {name: fedavgm, beta: 0.5}
fixed_point: {clip_norm: 10.0, bits: 16, max_examples: 8}
proofs: {name: norm-bound}
average: {decay: 0.5}
"""
VOID, CLIENTS = 2, 2
RING = KeyRing(b"a secret of a run of two clients")
OUTSIDE = ("manifest.json", "signature.bin")


def keys_of(clients):
    return PublicKeys(public_of(RING.server), tuple(RING.public_key(client) for client in range(clients)))


def new_of(clients):
    """What environment.json says beyond that of a run of protocol 1."""
    return {"protocol": 2, "keys": keys_of(clients).in_hexadecimal()}


KEYS, NEW = keys_of(CLIENTS), new_of(CLIENTS)


class _Silent(LinearRuntime):
    """Nobody sends anything in the void round."""

    def train(self, start, assignment):
        if start.round == VOID:
            raise InvalidUpdateError("nothing to send")
        return super().train(start, assignment)


def make_audited(folder, *overrides, every=1, rounds=3, runs_on=None, protocol=2, clients=CLIENTS):
    """A finished run of `CONFIG`; `runs_on` rounds more than there are checkpoints for, if wanted."""
    overrides = (f"data.partition.clients={clients}", *overrides)
    experiment = config.loads(CONFIG, "audited.yaml", overrides).experiment
    strategy = in_the_clear(experiment)
    federation = LinearFederation(clients)
    text = config.dump(experiment)
    parts, state = linear_parts(
        strategy,
        config_digest=hashlib.sha256(text.encode()).digest() if protocol == 2 else b"",
        federation=federation,
        runtime=_Silent(federation, by_examples=strategy.weighting == "examples"),
        run_id="an audited run",
        average_decay=experiment.average.decay if experiment.average else None,
        rounds=rounds,
        seed=experiment.seed,
    )
    cohort = make("cohort", experiment.cohort)
    planned = planned_protocol(experiment, num_clients=clients, num_train=None)
    parts = changed(parts, strategy=strategy, cohort=cohort, accountant=planned.accountant)
    state = initial_state(strategy, _vectors(state))
    if protocol == 2:
        parts = replace(parts, identities=RING)
    environment = {"run": parts.run_id, "num_clients": clients} | (new_of(clients) if protocol == 2 else {})
    create_run(folder, config=text, environment=environment)

    def statement(state):
        plan, facts = private_plan(planned, clients), RunFacts.of(environment)
        return privacy_document(plan, facts, releases=state.releases, records=run_store.records)

    run_store = RunStore(
        folder,
        parts.layout,
        every=every,
        privacy=statement if strategy.privacy is not None else None,
        sign=signer_of(parts),
    )
    try:
        state = run_store.begin(state)
        if runs_on is None:
            loop.run_experiment(parts, state, run_store, Observer(), hooks_of(parts))
        else:
            for _ in range(runs_on):
                state, record, clients = loop.next_round(parts, state, run_store, lambda *_: None)
                run_store.commit(state, record, clients)
    finally:
        run_store.close()
    return folder


def _vectors(state):
    from fedcli.components.models.network import Vectors

    return Vectors(state.weights, state.statistics, state.frozen, state.personal)


def place(round, file="parameters.json"):
    """A file of evidence, below the run directory."""
    return f"proofs/round-{round:05d}/{file}"


def rehash(run):
    """Write every manifest of evidence and checkpoints anew, each following the one before: all of it is consistent."""
    previous, heads = None, {}
    for folder in sorted((run / "proofs").glob("round-*")):
        round = round_folders.number(folder.name)
        previous = forge_manifest(
            folder, files_of(folder), facts={"format": 1, "round": round}, previous=previous
        )
        heads[round] = previous
    previous = None
    for folder in sorted((run / "checkpoints").glob("round-*")):
        facts = json.loads((folder / "manifest.json").read_text())
        for name in ("sha256", "previous", "self"):
            del facts[name]
        facts["evidence"] = heads.get(facts["round"])
        if "run" in facts:
            facts["run"] = {name: bound(run / name) for name in facts["run"]}
        previous = forge_manifest(folder, files_of(folder), facts=facts, previous=previous)
        # Whoever has the directory may have the server's key as well.
        if (folder / "signature.bin").exists():
            (folder / "signature.bin").write_bytes(sign(RING.server, head_message(bytes.fromhex(previous))))


def resign(run):
    """Sign everything anew, as somebody can who has the keys of all clients, where the files can be parsed."""
    for folder in sorted((run / "proofs").glob("round-*")):
        link, rounds = read_round_link(run, round_folders.number(folder.name)), {}
        path = folder / "signatures.bin"
        if not path.exists() or list(read_round(run, link, rounds)):
            continue
        round = rounds[link.round]
        try:
            statements = [each.statement for each in read_evidence(round, round.said).shown]
        except Malformed:
            continue
        kinds = 1 if round.said.noise_squared is None else 2
        signed = b""
        for place, each in enumerate(round.said.clients):
            own = statements[place * kinds : (place + 1) * kinds]
            message = statements_message((one.context, one.commitment) for one in own)
            signed += sign(RING.private_key(each.client), message)
        path.write_bytes(signed)


def bound(path):
    return durable.sha256(path) if path.exists() else None


def follow(run):
    """Write the checkpoints anew as they follow from the first and the published sums: w += v, v <- v / 2 + mean."""
    first = run / "checkpoints/round-00000"
    weights = npz.read_arrays(first / "weights.npz")["w"]
    velocity = npz.read_arrays(first / "state.npz")["server/velocity"]
    total, share = np.zeros(weights.size), 0.0
    for folder in sorted((run / "checkpoints").glob("round-*"))[1:]:
        round = round_folders.number(folder.name)
        if (run / place(round)).exists():
            exact = 0.5 * velocity.astype(np.float64) + published_mean(run, round)
            weights, velocity = (weights + exact).astype(np.float32), exact.astype(np.float32)
            total, share = 0.5 * total + 0.5 * weights.astype(np.float64), 0.5 * share + 0.5
        state = {**npz.read_arrays(folder / "state.npz"), "server/velocity": velocity}
        state |= {"average/sum": total, "average/weight": np.float64(share)}
        (folder / "weights.npz").write_bytes(npz.to_bytes({"w": weights}))
        (folder / "average.npz").write_bytes(npz.to_bytes({"w": (total / share).astype(np.float32)}))
        (folder / "state.npz").write_bytes(
            npz.to_bytes({name: np.asarray(array) for name, array in state.items()})
        )


def published_mean(run, round):
    said = json.loads((run / place(round)).read_text())
    total = np.frombuffer((run / place(round, "aggregate.bin")).read_bytes(), "<i8")
    step = said["clip_norm"] / 2 ** said["bits"]
    return total * step / math.fsum(each["weight"] for each in said["clients"])


def files_of(folder):
    return sorted(path.name for path in folder.iterdir() if path.name not in OUTSIDE)


def edit(run, round, /, **changes):
    """Change entries of a round's parameters; a function is applied to what is there."""
    path = run / place(round)
    said = json.loads(path.read_text())
    for name, change in changes.items():
        said[name] = change(said[name]) if callable(change) else change
    path.write_bytes(written(said))


def written(said):
    """parameters.json in the form of its protocol, whatever its values are."""
    if "config" not in said:
        return json.dumps(said, indent=2).encode() + b"\n"
    try:
        return rfc8785.dumps(said)
    except rfc8785.CanonicalizationError:
        return json.dumps(said, sort_keys=True, separators=(",", ":")).encode()
