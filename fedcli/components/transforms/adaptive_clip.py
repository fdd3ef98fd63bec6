"""A clip norm that follows a quantile of the updates' norms, learned under the same privacy event."""

from __future__ import annotations

import hmac
import math
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from fedcli.components.transforms.clip import clipped
from fedcli.components.transforms.gaussian_noise import noise_key
from fedcli.core.errors import ConfigError, require_positive
from fedcli.core.factories import component
from fedcli.core.noise_multipliers import require_noise_multiplier, update_noise_multiplier
from fedcli.core.privacy_events import GaussianEvent
from fedcli.core.rounds import Aggregate, ClientUpdate, RoundContext
from fedcli.core.transform import Transform
from fedcli.core.types import Tree
from fedcli.core.vectors import squared_norm
from fedcli.crypto.gaussian_steps import noise_grid

_HALF = 0.5  # the most by which a client moves the count
# Noise on the count that costs the updates half a percent more of theirs.
_COUNT_OVER_UPDATES = 5.0


@component
def adaptive_clip(
    *,
    noise_multiplier: float | None,
    count_deviation: float | None = None,
    initial_clip_norm: float = 0.1,
    target_quantile: float = 0.5,
    learning_rate: float = 0.2,
) -> Transform:
    """Updates clipped to C, Gaussian noise on their sum, and C <- C exp(-eta (b - gamma)) after the round.

    b is the share of clients whose update was within C. A client sends its bit minus gamma, scaled to at most 1/2, as
    one more coordinate after its update. The sum of these over the planned cohort, noised, is b - gamma. A client that
    is lost adds nothing to it, so that dropout slows the clip norm down and does not move its target. The noise of a
    round is scaled to the C by which the updates of that round were clipped. Both releases together are worth
    `noise_multiplier`; the updates alone get a little more noise, z_delta C. Both are on a grid whose step is at most
    2^-25 of the deviation (`crypto/gaussian_steps.py`).

    The clip norm is the transform's state. It is as private as the model, since it follows from noised counts.

    Args:
        noise_multiplier: z of the joint release, 0 or 0.001 to 1,000,000; at 0 nothing is noised. Null for the
            least that keeps the planned rounds within the strategy's epsilon.
        count_deviation: noise standard deviation on the count, above z / 2, for a client that moves it by 1/2;
            null for 5 z.
        initial_clip_norm: C of the first round, above 0.
        target_quantile: gamma, the share of clients that should be within C, in [0, 1].
        learning_rate: eta, the speed at which log C moves, at least 0.

    Reference: Andrew et al. 2021, arXiv:1905.03871, Algorithm 1.

    Deviations: the count is centred at gamma, where the paper centres it at 1/2; and its mean is taken over the planned
    cohort and not over the realised one, which is not noised.

    Example: noise_multiplier=1.0

    Needs: strategy={'privacy': {'delta': 1e-5}}
    """
    # Noise that is calculated from epsilon is not known before the run is planned; until then there is none.
    multiplier = noise_multiplier or 0.0
    require_noise_multiplier(multiplier)
    require_positive("initial_clip_norm", initial_clip_norm)
    if not math.isfinite(initial_clip_norm):
        raise ConfigError(
            f"a clip norm that moves is finite; received {initial_clip_norm}.", key="initial_clip_norm"
        )
    if not 0 <= target_quantile <= 1:
        raise ConfigError(
            f"target_quantile is a share of the clients, in [0, 1]; received {target_quantile}.",
            key="target_quantile",
        )
    if not 0 <= learning_rate < math.inf:
        raise ConfigError(f"learning_rate is at least 0; received {learning_rate}.", key="learning_rate")
    deviation = _COUNT_OVER_UPDATES * multiplier if count_deviation is None else count_deviation
    on_updates = update_noise_multiplier(multiplier, deviation)
    on_count = deviation if multiplier else 0.0
    # The bits minus gamma, scaled so that the larger one is 1/2, and in float32, as they are sent.
    largest = max(target_quantile, 1 - target_quantile)
    within, beyond = (np.float32(_HALF * side / largest) for side in (1 - target_quantile, -target_quantile))

    def encode(update: ClientUpdate, state: Tree, _context: RoundContext) -> ClientUpdate:
        bound = float(state["clip_norm"])
        vector = clipped(update.payload, bound)
        # `clipped` returns the same object if it does not change the update.
        payload = np.append(vector, within if vector is update.payload else beyond)
        return replace(update, payload=payload, bytes_up=update.bytes_up + payload.itemsize)

    def admit(update: ClientUpdate, state: Tree, _context: RoundContext) -> str | None:
        bound, norm = float(state["clip_norm"]), math.sqrt(squared_norm(update.payload[:-1]))
        # Not `norm > bound`, which would let NaN pass.
        if not norm <= bound:
            return f"the update's norm {norm:.6g} exceeds the clip norm {bound:g}"
        # Any other number would move the count further than its noise covers.
        is_bit = update.payload[-1] in (within, beyond)
        return None if is_bit else f"the last coordinate is neither {within:g} nor {beyond:g}"

    def decode(aggregate: Aggregate, state: Tree, context: RoundContext) -> tuple[Aggregate, Tree]:
        bound, value = float(state["clip_norm"]), np.asarray(aggregate.value, np.float64)
        if multiplier:
            value = _noised(value, on_updates * bound, on_count, bound=bound, key=noise_key(context))
        above = value[-1] / (context.planned_weight or 1.0) * (largest / _HALF)
        # A geometric step, as in the paper: C stays above 0, and moves alike at every scale.
        moved = bound * math.exp(-learning_rate * above)
        return aggregate._replace(value=value[:-1]), {"clip_norm": np.float64(moved)}

    return Transform(
        "adaptive_clip",
        init=lambda _size: {"clip_norm": np.float64(initial_clip_norm)},
        encode=encode,
        admit=admit,
        decode=decode,
        adds=lambda _size: 1,
        client_copies=2,
        server_copies=6,
        privacy=GaussianEvent(multiplier, initial_clip_norm, "adaptive", on_count),
    )


def _noised(
    value: npt.NDArray[np.float64], on_updates: float, on_count: float, *, bound: float, key: bytes
) -> npt.NDArray[np.float64]:
    """The sum of the updates and the count, each on its grid and with its noise; shape [P + 1]."""
    keys = [hmac.digest(key, part, "sha256") for part in (b"updates", b"count")]
    updates = noise_grid(on_updates, bound=bound, dimension=value.size - 1).noised(value[:-1], key=keys[0])
    count = noise_grid(on_count, bound=_HALF, dimension=1).noised(value[-1:], key=keys[1])
    return np.concatenate([updates, count])
