"""`fedcli audit` on the command line."""

import json
import random

CONFIG = """
rounds: 2
data: {name: digits, partition: {name: iid, clients: 3}}
model: {name: mlp, hidden: [64]}
strategy: {name: "user_parts:weak_noise", clip_norm: 0.5, noise_multiplier: 5.0, delta: 1.0e-5}
"""


def test_a_false_claim_ends_with_1_and_is_named(fedcli, tmp_path, monkeypatch):
    # Coins and noise are the same in every run of the tests, so that none has bad luck.
    monkeypatch.setattr("secrets.randbits", random.Random(1).getrandbits)
    monkeypatch.setattr("secrets.token_bytes", random.Random(2).randbytes)
    path = tmp_path / "weak.yaml"
    path.write_text(CONFIG)
    done = fedcli("audit", path, "--json", "--canaries", "2000")
    facts = json.loads(done.stdout)
    assert done.exit_code == 1
    assert facts["verdict"] == "disproved"
    assert facts["epsilon_at_least"] > facts["claimed_epsilon"]
    said = fedcli("audit", path, "--set", "strategy.weakness=1.0", "--canaries", "2000")
    assert said.exit_code == 0
    assert "is not disproved: epsilon is at least" in said.stdout
    assert "By rehearsals, it would" in " ".join(said.stdout.split())


def test_an_audit_without_power_ends_with_3(fedcli, tmp_path):
    path = tmp_path / "weak.yaml"
    path.write_text(CONFIG)
    done = fedcli(
        "audit", path, "--canaries", "16", "--set", "strategy.noise_multiplier=1.0", "--noise-scale", "0.5"
    )
    assert done.exit_code == 3
    assert "A test of the audit: audited with noise x 0.5. Cannot tell:" in " ".join(done.stdout.split())
