"""Parts as a user would write them, named in tests as `user_parts:factory`."""

import numpy as np

from fedcli.components.callbacks.callback import Callback
from fedcli.components.data import Dataset
from fedcli.components.strategies import STRATEGIES
from fedcli.components.strategies.dp_clipped import dp_clipped
from fedcli.components.strategies.weighted import weighted
from fedcli.components.transforms import gaussian_noise
from fedcli.core.contracts import Buffer
from fedcli.core.rounds import ClientData
from fedcli.core.seeds import SERVER, generator
from fedcli.core.transform import Transform

FEATURES = 4


def blobs(_seed: int, *, examples: int = 60, classes: int = 3) -> Dataset:
    """Overlapping Gaussian clouds, one a class; the same for every seed."""
    x, y = _cloud(examples, classes)
    x_test, y_test = _cloud(30, classes)
    return Dataset(x, y, x_test, y_test, "classification", classes)


def line(_seed: int, *, examples: int = 60, targets: int = 1) -> Dataset:
    """Noisy values of a linear function; targets of shape [N] where there is one."""
    rng = generator(1, 0, SERVER, "line")
    x = rng.normal(size=(examples + 20, FEATURES)).astype(np.float32)
    y = np.einsum("nf,ft->nt", x, rng.normal(size=(FEATURES, targets)))
    y = (y[:, 0] if targets == 1 else y) + 1
    return Dataset(x[20:], y[20:], x[:20], y[:20], "regression", targets)


def _cloud(examples, classes):
    rng = generator(examples, 0, SERVER, "blobs")
    y = np.arange(examples) % classes
    return (rng.normal(size=(examples, FEATURES)) + y[:, None]).astype(np.float32), y


class Many:
    """A million clients of three examples each, made when they are asked for."""

    task = "classification"
    num_outputs = 3
    input_shape = (FEATURES,)

    def __init__(self, clients, empty=()):
        self.num_clients = clients
        self.num_train = np.full(clients, 3)
        self.num_train[list(empty)] = 0
        self.num_validation = np.zeros(clients, np.int64)
        self.asked = []
        self.test = _cloud(6, 3)

    def client(self, client):
        self.asked.append(client)
        x = generator(3, 0, client, "many").normal(size=(3, FEATURES)).astype(np.float32)
        n = self.num_train[client]
        return ClientData(x[:n], np.arange(3)[:n], x[:0], np.arange(0))


def many(_seed: int, *, clients: int = 1_000_000, empty: tuple[int, ...] = ()) -> Many:
    """A user's own federation."""
    return Many(clients, empty)


def tiny(input_shape, num_outputs):
    """A Keras model without parameters from the YAML."""
    import keras

    return keras.Sequential([keras.Input(input_shape), keras.layers.Dense(num_outputs, name="only")])


def stack(
    input_shape,
    num_outputs,
    *,
    batchnorm: bool = False,
    dropout: float = 0.0,
    recurrent: str = "",
    end: str = "logits",
    l2: float = 0.0,
):
    """A small model with one of everything that keeps state."""
    import keras
    from keras import layers

    parts = [keras.Input(input_shape)]
    if recurrent:
        parts.append(getattr(layers, recurrent)(3, dropout=dropout, name="recurrent"))
    parts.append(
        layers.Dense(6, activation="relu", kernel_regularizer=keras.regularizers.L2(l2), name="hidden")
    )
    if batchnorm:
        parts.append(layers.BatchNormalization(momentum=0.9, name="norm"))
    if dropout and not recurrent:
        parts.append(layers.Dropout(dropout, name="drop"))
    parts.append(layers.Dense(num_outputs, name="head"))
    parts += {
        "logits": [],
        "activation": [layers.Activation("softmax")],
        "softmax": [layers.Softmax()],
        "sigmoid": [layers.Activation("sigmoid")],
        "nested": [keras.Sequential([layers.Activation("softmax")])],
    }[end]
    return keras.Sequential(parts)


def half_step(*, factor: float = 0.5):
    """A user's recipe."""
    return weighted(server_learning_rate=factor)._replace(name="half-step")


LOG = []


def logging(*, stop_after: int = 0):
    """Writes every call into `LOG`."""

    def round_end(_run, state, record):
        LOG.append(("round", state.round, record["round"]))
        return "the user's callback has seen enough" if state.round == stop_after else None

    return Callback(
        on_start=lambda _run, records: LOG.append(("start", len(records))),
        on_round_end=round_end,
        on_end=lambda _run, state, records: LOG.append(("end", state.round, len(records))),
    )


def measuring():
    """Measures the model of every round with Keras's own `predict`, and writes the last figure into `LOG`."""

    def round_end(run, state, _record):
        data = blobs(0)
        outputs = run.model(state).predict(data.x_test, verbose=0)
        right = float(np.mean(outputs.argmax(axis=1) == data.y_test))
        LOG[:] = [(run.folder, run.experiment.name, right)]

    return Callback(on_round_end=round_end)


def not_a_part():
    """What a user who forgot to return something writes."""


def unaccounted():
    """Noise without the target that has it accounted for."""
    from fedcli.components.transforms import clip, gaussian_noise

    noise = gaussian_noise(noise_multiplier=1.0, clip_norm=1.0)
    return weighted()._replace(weighting="uniform", transforms=(clip(clip_norm=1.0), noise))


def unprotected():
    """A privacy target without any noise."""
    from fedcli.core.sampling_scheme import PrivacyTarget

    return weighted()._replace(weighting="uniform", privacy=PrivacyTarget(1e-5))


def twice_clipped():
    """Two transforms that would share one state."""
    from fedcli.components.transforms import clip

    return weighted()._replace(transforms=(clip(clip_norm=2.0), clip(clip_norm=1.0)))


def unweighted_noise():
    """Noise over example-count weights, whose sensitivity no config bounds."""
    from fedcli.components.strategies import STRATEGIES

    private = STRATEGIES["dp-clipped"](clip_norm=1.0, noise_multiplier=1.0, delta=1e-5)
    return private._replace(weighting="examples")


class HalfAFederation:
    """Lacks what is only asked for in the middle of a run."""

    num_clients = 2
    num_train = np.array([1, 1])
    test = (np.zeros((1, FEATURES), np.float32), np.zeros(1, np.int64))

    def client(self, client):
        raise AssertionError("it is refused before it is used")


def half_a_federation(_seed: int):
    """A federation that is none."""
    return HalfAFederation()


def weak_noise(*, clip_norm: float, noise_multiplier: float, delta: float, weakness: float = 4.0):
    """A private strategy that draws less noise than it claims."""
    honest = dp_clipped(clip_norm=clip_norm, noise_multiplier=noise_multiplier, delta=delta)
    clip, noise = honest.transforms
    weaker = gaussian_noise(noise_multiplier=noise_multiplier / weakness, clip_norm=clip_norm)
    return honest._replace(transforms=(clip, weaker._replace(privacy=noise.privacy)))


def no_clip(*, clip_norm: float, noise_multiplier: float, delta: float):
    """A private strategy that claims a clip norm and clips at ten times as much."""
    honest = dp_clipped(clip_norm=clip_norm, noise_multiplier=noise_multiplier, delta=delta)
    wide = dp_clipped(clip_norm=10 * clip_norm, noise_multiplier=noise_multiplier / 10, delta=delta)
    clip, noise = wide.transforms
    return honest._replace(transforms=(clip, noise._replace(privacy=honest.transforms[1].privacy)))


def buffered(*, base: str):
    """A strategy of fedcli's with asynchronous rounds."""
    parameters = {"dp-clipped": {"clip_norm": 1.0, "noise_multiplier": 1.0, "delta": 1e-5}}
    return STRATEGIES[base](**parameters.get(base, {}))._replace(buffer=Buffer(2, lambda _staleness: 1.0))


def failing():
    """A strategy with a transform whose client half has a fault."""

    def encode(_update, _state, _context):
        raise KeyError("broken")

    strategy = STRATEGIES["mean"]()
    return strategy._replace(transforms=(*strategy.transforms, Transform("fails", encode=encode)))
