"""Run directories for tests of the report: small, made without training, some of them hostile."""

import json
import shutil

from kept_runs import CONFIG, make_run

from fedcli.store.files import canonical_json

ALERT = "<script>alert(1)</script>"
# What would end the page's own script, an attribute, a string or a line, and an expression of the charts.
HOSTILE = f"{ALERT}</SCRIPT><img src=x onerror=alert(2)>\"'`{{{{7*7}}}}\u2028\u202e<!--"

METRIC = HOSTILE.replace("/", "|")


def write_log(run, name, rows):
    (run / name).write_text("".join(json.dumps(row) + "\n" for row in rows))


def rounds(count, *, lift=0.0, **more):
    return [
        {
            "round": round,
            "test/loss": 1 / round - lift,
            "test/accuracy": 1 - 0.5 / round + lift,
            "validation/accuracy": 0.8,
            "validation/accuracy/p10": 0.6,
            "validation/accuracy/p50": 0.8,
            "validation/accuracy/p90": 0.9,
            "validation/accuracy/worst": 0.5,
            "validation/accuracy/worst_decile": 0.55,
            "clients/planned": 3,
            "clients/finished": 2,
            "clients/rejected": 1,
            "clients/malicious": 1,
            "bytes_up": 1_000_000,
            "bytes_down": 2_000_000,
            "seconds/train": 0.5,
            "seconds/total": 1.0,
            **more,
        }
        for round in range(1, count + 1)
    ]


def turns(count, reason="its norm is too large"):
    return [
        {
            "round": round,
            "client": client,
            "examples": 10 * client + 5,
            "train/accuracy": 0.5 + client / 10,
            **({"reason": reason, "malicious": True} if client == 2 else {}),
        }
        for round in range(1, count + 1)
        for client in range(3)
    ]


def plain_run(folder, *, seed=1, strategy="weighted", lift=0.0, like=None):
    """Four rounds with all figures that most runs have; a copy of the run `like`, which takes less time."""
    run = make_run(folder, 1) if like is None else shutil.copytree(like, folder)
    (run / "config.yaml").write_text(f"{CONFIG}seed: {seed}\nname: {strategy}\nstrategy: {strategy}\n")
    write_log(run, "metrics.jsonl", rounds(4, lift=lift))
    write_log(run, "clients.jsonl", turns(4))
    return run


def hostile_run(root):
    """A run directory that a stranger made: every text of it that a report shows would run a script."""
    config = (
        "rounds: 4\nmodel: mlp\nencryption: {name: threshold, committee: 3, threshold: 2}\nproofs: norm-bound\n"
        f"data: {{name: csv, path: {json.dumps(HOSTILE)}, target: {json.dumps(HOSTILE)},\n"
        "  partition: {name: iid, clients: 2}}\n"
    )
    run = make_run(root / "<img src=x onerror=alert(3)>", 1, config=config)
    write_log(
        run,
        "metrics.jsonl",
        rounds(4, **{f"test/{METRIC}": 0.5, "note": HOSTILE, HOSTILE: 1.0, "epsilon": 1.0}),
    )
    write_log(run, "clients.jsonl", turns(4, HOSTILE))
    for name, content in (
        (
            "environment.json",
            {"run": "any", "num_clients": 2, HOSTILE: HOSTILE, "packages": {"keras": HOSTILE}},
        ),
        ("privacy.json", statement()),
        (
            "encryption.json",
            {"name": HOSTILE, "assumes": HOSTILE, "sees": [{"who": HOSTILE, "what": HOSTILE}]},
        ),
    ):
        (run / name).write_bytes(canonical_json.written(content, indent=1))
    return run


def statement():
    return {
        "unit": "client",
        "relation": "zero-out",
        "mechanism": HOSTILE,
        "noise_multiplier": 1.0,
        "sampling": {"scheme": "full", "population": 2},
        "accountant": {"name": HOSTILE, "package": HOSTILE},
        "rounds": 4,
        "delta": 1e-3,
        "epsilon": 2.0,
        "weaker_epsilons": {HOSTILE: 1.0},
        "epsilon_after_round": {"1": 1.0, "2": 2.0},
        "budget": None,
        "holds_for": HOSTILE,
        "warnings": [HOSTILE],
        "not_covered": [HOSTILE],
        "published_without_noise": [HOSTILE],
        "noise": HOSTILE,
    }
