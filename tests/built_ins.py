"""What the built-in strategies need to be tried on a handful of clients, read off what they say of themselves."""

from fedcli.components.strategies import DEFAULT_COHORTS, STRATEGIES
from fedcli.core.factories import describe
from fedcli.core.privacy_events import BandedEvent

SMALL = {
    "num_byzantine": 0,
    "trim": 0.4,
    "buffer_size": 4,
    "contributors": 3,
    "personal": "head/*",
    "bands": 2,
    "rate": 0.4,
    "steps": 3,
    "expected_batch_size": 4,
    "clip_norm": 0.5,
    "noise_multiplier": 1.0,
    "delta": 1e-3,
}
"""Parameters whose defaults and examples are for larger federations, by name and not by strategy."""


def small(factory):
    """Values for the parameters of a component that need one, and for those that are for more clients by default."""
    about = describe(factory)
    given = about.example.keys() | ({parameter.name for parameter in about.parameters} & SMALL.keys())
    return {p.name: SMALL.get(p.name, about.example.get(p.name)) for p in about.parameters if p.name in given}


REQUIRED = {name: small(factory) for name, factory in STRATEGIES.items()}
"""Parameters of every strategy."""


def _needed(name):
    strategy = STRATEGIES[name](**REQUIRED[name])
    if any(isinstance(part.privacy, BandedEvent) for part in strategy.transforms):
        yield f"cohort={{name: min-separation, separation: {REQUIRED[name]['bands']}}}"
    if name in DEFAULT_COHORTS:
        # A tenth of a handful of clients is mostly nobody.
        yield "cohort=full"
    if strategy.buffer is not None:
        yield "devices=lognormal"
    if (strategy.trainer.personal or "").startswith("BatchNormalization"):
        yield from ("model.batchnorm=true", "model.non_trainable=local")


NEEDED = {name: list(_needed(name)) for name in STRATEGIES}
"""What else every strategy needs of an experiment, as overrides of the tiny one."""
