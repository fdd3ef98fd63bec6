"""Audit of a private experiment: bounds epsilon from below by canaries, which are artificial clients.

A canary does not train. It sends a huge update along one coordinate, which no other canary of its run uses. The audit
therefore tests everything after local training: clip, sampling, noise and divisor. The auditor sees the noised mean
update of every round, from which the models can be computed; or, where each client adds the noise, its noised update.
"""

from __future__ import annotations

import secrets
from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from types import MappingProxyType
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from fedcli.config import Config, Experiment, Part
from fedcli.config.schema import ParticipationSection
from fedcli.core.errors import ConfigError
from fedcli.core.rounds import RoundState
from fedcli.core.sampling_scheme import PrivacyTarget
from fedcli.engine.records import Row
from fedcli.engine.setup import Assembly, Setup
from fedcli.experiment.assemble import assemble
from fedcli.experiment.compose import with_scaled_noise
from fedcli.experiment.make import located
from fedcli.experiment.plan import plan
from fedcli.privacy import Accountant
from fedcli.privacy.canary_scores import canary_scores
from fedcli.privacy.guess_plan import guess_plan, together
from fedcli.privacy.one_run_audit import Audit, audit
from fedcli.runs.canaries import Canaries, coordinates, joined, presence_of
from fedcli.runs.observed import observed

Verdict = Literal["stands", "disproved", "cannot tell"]

_CANARIES = 5000
_FEWEST = 16
_FEWEST_CONTROLS = 32
_EVERYBODY = ParticipationSection(dropout=0.0, stragglers=0.0, deadline=None, wait_for=None)


class AuditResult(NamedTuple):
    """The result of an audit.

    Args:
        audit: the lower bound on epsilon, and the guesses that it follows from.
        claim: epsilon of the rounds that were run, from the accountant.
        best: the largest lower bound that these canaries could have given, calculated before the run.
        rounds: number of rounds.
        accountant: name of the accountant.
        noise_scale: factor on the noise, for a test of the audit itself; 1 audits the run as it is.
        noticed: for noise that is too small by a factor, the share of rehearsals that would have disproved the claim.
    """

    audit: Audit
    claim: float
    best: float
    rounds: int
    accountant: str
    noise_scale: float = 1.0
    noticed: Mapping[float, float] = MappingProxyType({})

    @property
    def verdict(self) -> Verdict:
        """Whether the claim is false, at the audit's confidence, or whether such an audit cannot decide."""
        if self.audit.epsilon > self.claim:
            return "disproved"
        return "stands" if self.best > self.claim else "cannot tell"


def audit_experiment(
    source: Config,
    *,
    canaries: int | None = None,
    confidence: float = 0.95,
    noise_scale: float = 1.0,
    seed: int | None = None,
    round_end: Callable[[Row], None] = lambda _record: None,
    before_tensorflow: Callable[[], AbstractContextManager[None]] = nullcontext,
) -> AuditResult:
    """Run an experiment with canaries and bound its epsilon from below. Nothing is stored.

    Args:
        source: the experiment.
        canaries: number of canaries, 5,000 by default. More than one run is made if they need more coordinates than an
            update has.
        confidence: probability that the bound holds, in (0, 1).
        noise_scale: factor on the noise of the run, above 0, while the claim stays: a test of the audit's power.
        seed: seed of the coins and the coordinates; None for randomness of the operating system.
        round_end: called with the record of every round.
        before_tensorflow: entered before TensorFlow is loaded.

    Raises:
        ConfigError: if the experiment has no guarantee for clients, or the audit cannot be made as asked.

    Reference: Steinke et al. 2023, arXiv:2305.08846, with the canaries of one coordinate of Nasr et al. 2023,
    arXiv:2302.07956.
    """
    with located(source):
        # The claim is that of the run with all its sections, on which its noise depends.
        setup = plan(source.experiment)
        accountant, target = _auditable(setup)
        rounds = _rounds_within(accountant, target, setup.run.rounds)
        claim = accountant.epsilon(rounds, target.delta)
        event = setup.protocol.strategy.privacy_event
        strategy = setup.experiment.strategy
        if noise_scale != 1.0:
            strategy = with_scaled_noise(strategy, noise_scale)
        setup = plan(_bare(setup.experiment.model_copy(update={"strategy": strategy})))
        # Epsilon is that of the claim, and is calculated above, once.
        setup = replace(
            setup,
            protocol=setup.protocol._replace(accountant=None),
            run=setup.run._replace(rounds=rounds),
        )
        with before_tensorflow():
            assembly, start = assemble(setup)
    try:
        # The bound holds only for coins that nothing else depends on, such as the seed of the experiment.
        rng = np.random.Generator(np.random.Philox(key=secrets.randbits(128) if seed is None else seed))
        tests = list(_tests(assembly, _CANARIES if canaries is None else canaries, accountant, rng))
        planned = guess_plan(
            together([test.canaries.presence for test in tests]),
            claim=claim,
            delta=target.delta,
            noise_multiplier=event.noise_multiplier if event else 0.0,
            confidence=confidence,
            rng=rng,
        )
        scores = [_scores(test, start, round_end) for test in tests]
    finally:
        assembly.executor.close()
    found = audit(
        np.concatenate(scores),
        np.concatenate([test.canaries.coins for test in tests]),
        delta=target.delta,
        confidence=confidence,
        guesses=planned.guesses,
    )
    return AuditResult(found, claim, planned.best, rounds, accountant.name, noise_scale, planned.noticed)


class _Test(NamedTuple):
    """One run of the audit: the experiment with canaries, and coordinates that only noise changes."""

    assembly: Assembly
    canaries: Canaries
    controls: npt.NDArray[np.int64]


def _bare(experiment: Experiment) -> Experiment:
    """The experiment without what does not change the guarantee.

    Encryption and proofs are planned for the real clients only, and clients that are lost or malicious only make the
    canaries harder to see. Canaries exist in this process, so its threads do the clients' work.
    """
    left_out: dict[str, object] = dict.fromkeys(("encryption", "proofs", "devices", "attack", "early_stop"))
    return experiment.model_copy(
        update=left_out | {"participation": _EVERYBODY, "callbacks": (), "executor": Part("threads")}
    )


def _auditable(setup: Setup) -> tuple[Accountant, PrivacyTarget]:
    """The accountant of a run and its target, if canaries can test its claim."""
    accountant, target = setup.protocol.accountant, setup.protocol.strategy.privacy
    if accountant is None or target is None:
        raise ConfigError(
            f"the strategy {setup.protocol.strategy.name} has no privacy guarantee to audit.",
            key="strategy",
            hint="Use a private strategy, such as dp-clipped.",
        )
    if accountant.unit != "client":
        raise ConfigError(
            f"canaries are clients, and this run protects an {accountant.unit} of a client.",
            key="strategy",
            hint="Audit a run that protects clients.",
        )
    return accountant, target


def _rounds_within(accountant: Accountant, target: PrivacyTarget, planned: int) -> int:
    """How many of the planned rounds the budget allows."""

    def is_within(rounds: int) -> bool:
        return target.epsilon is None or accountant.epsilon(rounds, target.delta) <= target.epsilon

    if is_within(planned):
        return planned
    # Epsilon grows with the rounds: the first number that exceeds the budget is found by bisection.
    return bisect_left(range(1, planned), True, key=lambda rounds: not is_within(rounds))


def _tests(
    assembly: Assembly, canaries: int, accountant: Accountant, rng: np.random.Generator
) -> Iterator[_Test]:
    """As many runs as the canaries need, each with canaries, coins and noise of its own."""
    among = coordinates(assembly)
    size = min(len(each) for each in among)
    # The noise's covariance over the rounds is measured on some coordinates, many more than rounds.
    controls = max(size // 10, 4 * assembly.run.rounds, _FEWEST_CONTROLS)
    if canaries < _FEWEST or controls + _FEWEST > size:
        raise ConfigError(
            f"received {canaries} canaries; an audit needs at least {_FEWEST}, and for {assembly.run.rounds} rounds "
            f"{controls + _FEWEST} coordinates for canaries; this model has {size}.",
            hint=f"Use --canaries of at least {_FEWEST}, fewer rounds or a larger model.",
        )
    runs = -(-canaries // (size - controls))
    for index in range(runs):
        count = canaries // runs + (index < canaries % runs)
        # Noise that is drawn from the seed must not be the same in two runs.
        own = replace(assembly, setup=_with_seed(assembly.setup, assembly.run.seed + index))
        presence = presence_of(own, count, rng=rng, is_replaced=accountant.relation == "replace-one")
        places = np.stack([rng.choice(each, count + controls, replace=False) for each in among])
        made = Canaries(places[:, :count], rng.integers(0, 2, count).astype(bool), presence)
        yield _Test(joined(own, made), made, places[:, count:])


def _with_seed(setup: Setup, seed: int) -> Setup:
    return replace(setup, run=setup.run._replace(seed=seed))


def _scores(test: _Test, start: RoundState, round_end: Callable[[Row], None]) -> npt.NDArray[np.float64]:
    """The score of each canary after one run."""
    presence = test.canaries.presence
    seen = observed(test.assembly, start, test.canaries, controls=test.controls, round_end=round_end)
    return canary_scores(
        seen.heard,
        seen.noise,
        signal=seen.signal,
        turns=presence.turns[seen.rounds],
        chance=presence.chance,
        is_replaced=presence.is_replaced,
    )
