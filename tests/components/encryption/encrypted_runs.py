"""What the tests of encryption share: rounds of a few values, and runs on integers under any encryption or none."""

import numpy as np
from fakes import SIZE, LinearFederation, LinearRuntime, MemoryStore, linear_parts
from hooked import hooks_of

from fedcli.components.encryption import ENCRYPTIONS
from fedcli.components.encryption.encrypt import encrypt
from fedcli.components.encryption.scheme import Sums
from fedcli.components.strategies import STRATEGIES
from fedcli.components.transforms import fixed_point
from fedcli.components.transforms.fixed_point import packed_bytes
from fedcli.engine import loop
from fedcli.engine.ports import Observer

BITS = 12
SUMS = Sums(num_clients=5, most_summands=5, bits=BITS, noise_tail=0, root=7, rounds=1000)
SCHEMES = {
    "shared-key": {},
    "threshold": {"committee": 5, "threshold": 3},
    "secagg": {"dropped": 0.4, "corrupt": 0.2},
}


def encryption_of(name, sums=SUMS, **parameters):
    return ENCRYPTIONS[name](sums, **{**SCHEMES[name], **parameters})


def begun(keys, round, cohort=(0, 1, 2, 3, 4), size=SIZE):
    """A round's exchange, and what its clients send in the clear and encrypted."""
    exchange = keys.begin(round, list(cohort), run="a run", size=size)
    values = {client: np.arange(size) % 100 + 10 * client - 7 * round for client in cohort}
    return (
        exchange,
        values,
        {client: exchange.sender(client).encrypt(each)[0] for client, each in values.items()},
    )


def added(exchange, sent):
    for client, data in sent.items():
        assert exchange.check(client, data) is None
        exchange.add(client, data)
    return exchange


def on_grid():
    strategy = STRATEGIES["mean"]()
    return strategy._replace(transforms=(*strategy.transforms, fixed_point(clip_norm=2.0, bits=BITS)))


def parts_of(strategy, encryption=None, *, behind=(), keys=None, **changes):
    """Parts of a run, and its first state. The strategy's integers are encrypted; `behind` stands after that."""
    federation = LinearFederation()
    if encryption is not None:
        grid = next(part.grid for part in strategy.transforms if part.grid)
        part = encrypt(encryption, grid=grid, plain_bytes=lambda size: packed_bytes(size, grid.largest))
        strategy = strategy._replace(transforms=(*strategy.transforms, part, *behind))
        keys = keys or encryption.start(None)
    runtime = LinearRuntime(federation)
    return linear_parts(
        strategy, federation=federation, runtime=runtime, run_id="a run", keys=keys, **changes
    )


def run(parts, state, store=None):
    store = store or MemoryStore()
    state, _ = loop.run_experiment(parts, state, store, Observer(), hooks_of(parts))
    return state, store
