"""Refuses a run whose files could not be read again, before its directory is made."""

from __future__ import annotations

from fedcli.core.errors import ConfigError
from fedcli.engine.setup import Setup
from fedcli.store.files import limits

# Of a line of clients.jsonl, from above: measured, 180 bytes with two metrics, and 220 with a simulated clock as well.
_LINE, _METRIC = 160, 48
# A public key in environment.json with its quotes, comma and indent; and room for everything else that it says.
_KEY, _ELSE = 71, 1 << 20


def check_lists(made: Setup) -> None:
    """Refuse more turns of clients than clients.jsonl may have lines, and more signers than environment.json has keys.

    Raises:
        ConfigError: with the number that fits.
    """
    line = _LINE + _METRIC * len(made.training.task.names)
    most = limits.LOG // line
    turns = round(made.updates_per_round * made.run.rounds)
    if turns > most and not made.protocol.publishes_noised_only:
        raise ConfigError(
            f"{made.run.rounds:,} rounds of {made.updates_per_round:,.6g} clients make {turns:,} lines of "
            f"clients.jsonl, about {turns * line:,} bytes; a log of more than {limits.LOG:,} bytes cannot be resumed "
            "or verified.",
            key="rounds",
            hint=f"Use at most {int(most / made.updates_per_round):,} rounds, or a smaller cohort.",
        )
    signers = (limits.JSON - _ELSE) // _KEY
    if made.experiment.proofs is not None and made.num_clients > signers:
        raise ConfigError(
            f"the public keys of {made.num_clients:,} clients, who sign their proofs, do not fit into "
            f"environment.json, which has at most {limits.JSON:,} bytes.",
            key="proofs",
            hint=f"Use at most {signers:,} clients, or leave proofs out.",
        )
