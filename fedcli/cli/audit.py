"""`fedcli audit`: an empirical lower bound on the epsilon of a private experiment."""

from __future__ import annotations

import math
from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Annotated

import typer

from fedcli.cli.config_arguments import ConfigPath, Overrides, SetOptions, read_config
from fedcli.cli.output import Json, print_facts, print_json, quiet_imports, reported
from fedcli.cli.run_argument import TrustCode, trusted

if TYPE_CHECKING:
    from fedcli.runs.audit import AuditResult, Verdict

_PARTS: Mapping[float, str] = {2.0: "half", 3.0: "a third"}
_EXITS: Mapping[Verdict, int] = {"stands": 0, "disproved": 1, "cannot tell": 3}


def audit(
    config: ConfigPath,
    overrides: Overrides = None,
    options: SetOptions = None,
    canaries: Annotated[
        int | None,
        typer.Option(help="Number of made-up clients (canaries); 5,000 by default.", show_default=False),
    ] = None,
    confidence: Annotated[float, typer.Option(help="Probability that the bound holds.")] = 0.95,
    noise_scale: Annotated[
        float,
        typer.Option(
            help="A test of the audit itself: audit the run with this many times its noise, against the same claim.",
        ),
    ] = 1.0,
    trust_code: TrustCode = False,
    json: Json = False,
) -> None:
    """Run a private experiment with canaries (made-up clients), and bound its epsilon from below.

    The better an observer can guess the canaries' coins, the higher the bound is. Nothing is trained, and the run is
    not kept. Exits with 1 if the bound exceeds the epsilon that the accountant claims, and with 3 if it could not
    exceed it even without noise.
    """
    with reported(), trusted(trust_code):
        from rich.console import Console

        from fedcli.runs.audit import audit_experiment

        source = read_config(config, overrides, options)
        console = Console(stderr=True)
        with console.status("Planning ...") as status:

            def load_tensorflow() -> AbstractContextManager[None]:
                status.update("Loading TensorFlow ...")
                return quiet_imports()

            # An audit has no run directory and no live view, so the status line is all that shows its progress.
            def show_round(record: Mapping[str, object]) -> None:
                status.update(f"Auditing: round {record['round']} of {source.experiment.rounds}")

            found = audit_experiment(
                source,
                canaries=canaries,
                confidence=confidence,
                noise_scale=noise_scale,
                round_end=show_round,
                before_tensorflow=load_tensorflow,
            )
        facts = {
            # JSON has no infinity.
            "claimed_epsilon": found.claim if math.isfinite(found.claim) else None,
            "delta": found.audit.delta,
            "accountant": found.accountant,
            "rounds": found.rounds,
            "canaries": found.audit.canaries,
            "guesses": found.audit.guesses,
            "right_guesses": found.audit.correct,
            "epsilon_at_least": found.audit.epsilon,
            "confidence": found.audit.confidence,
            "largest_provable": found.best,
            "noise_scale": found.noise_scale,
            "rehearsals_noticed": {f"noise / {factor:g}": share for factor, share in found.noticed.items()},
            "verdict": found.verdict,
        }
        if json:
            print_json(facts)
        else:
            shown = {name: value for name, value in facts.items() if name != "rehearsals_noticed"}
            print_facts({**shown, "verdict": _in_words(found)})
        if _EXITS[found.verdict]:
            raise typer.Exit(_EXITS[found.verdict])


def _in_words(found: AuditResult) -> str:
    bound = f"epsilon is at least {found.audit.epsilon:.3g}, with confidence {found.audit.confidence:g}"
    test = (
        "" if found.noise_scale == 1 else f"A test of the audit: audited with noise x {found.noise_scale:g}. "
    )
    if found.verdict == "cannot tell":
        return (
            f"{test}Cannot tell: {bound}. This audit could show at best {found.best:.3g}, and the claim is "
            f"{found.claim:.3g}. Use more canaries or more noise."
        )
    if found.verdict == "disproved":
        return f"{test}The claim of {found.claim:.3g} is false: {bound}."
    return (
        f"{test}The claim of {found.claim:.3g} is not disproved: {bound}. This audit could have shown "
        f"{found.best:.3g} at best.{_noticed(found)}"
    )


def _noticed(found: AuditResult) -> str:
    """What the audit's rehearsals say of noise that is too small, for a claim that stands."""

    def likely(share: float) -> str:
        return (
            "would have"
            if share == 1
            else "would probably not have"
            if share < 0.5
            else "would probably have"
        )

    said = [
        f"{likely(share)} noticed {_PARTS.get(factor, f'1/{factor:g}')} of the noise"
        for factor, share in found.noticed.items()
    ]
    return f" By rehearsals, it {', and it '.join(said)}." if said else ""
