"""Laws of transforms, which process updates on the way from client to server."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from fedcli.core.errors import InvalidUpdateError
from fedcli.core.rounds import Aggregate, ClientUpdate, RoundContext
from fedcli.core.transform import Transform
from fedcli.core.types import Array, Tree
from fedcli.testing.laws import (
    described,
    is_vector,
    law,
    noise,
    same_bits,
    same_state,
    updates_of,
    written_and_read,
)

_SIZE = 50
# Noise is drawn from the seed, so that two calls can be compared.
_CONTEXT = RoundContext(root=7, round=1, reproducible_noise=True, layers=(30, 20))


def check_transform(transform: Transform) -> None:
    """Check a transform of vectors against the laws of fedcli's own transforms.

    Args:
        transform: the transform. Its server half is checked if it gives vectors.

    Raises:
        AssertionError: names the law that does not hold.
    """
    law(transform.name, "a transform has a name, under which its state is kept.")
    law(
        transform.takes == "vector",
        f"{transform.name}: this check gives vectors; it takes {transform.takes}.",
    )
    state = transform.init(_SIZE)
    written_and_read(state, transform.name)
    _check_client_half(transform, state)
    _check_not_finite(transform, state)
    if transform.gives == "vector":
        _check_server_half(transform, state)


def _update(payload: Array) -> ClientUpdate:
    return updates_of([payload])[0]


def _check_client_half(transform: Transform, state: Tree) -> None:
    # Zeros as well: a clip must not divide by their norm.
    for scale in (0.0, 1e-3, 1.0, 1e3):
        payload = noise(1, _SIZE) * np.float32(scale)
        update = _update(payload.copy())
        sent = transform.encode(update, state, _CONTEXT)
        law(
            same_bits(update.payload, payload) and update.state == {},
            f"{transform.name}: encode leaves the update that it is given unchanged.",
        )
        again = transform.encode(update, state, _CONTEXT)
        law(
            same_bits(np.asarray(sent.payload), np.asarray(again.payload)),
            f"{transform.name}: encode gives the same bits for the same update, state and context.",
        )
        law(sent.client == update.client, f"{transform.name}: encode leaves the client's number unchanged.")
        law(
            transform.gives != "vector" or is_vector(sent.payload, _SIZE + transform.adds(_SIZE)),
            f"{transform.name}: it gives vectors, float32 and finite, of the length that it takes, [{_SIZE}]; it gave "
            f"{described(sent.payload)}.",
        )
        law(
            sent.bytes_up >= 0,
            f"{transform.name}: bytes_up counts what is sent and is at least 0; it is {sent.bytes_up}.",
        )
        written_and_read(sent.state, transform.name)
        reason = transform.admit(sent, state, _CONTEXT)
        law(
            reason is None,
            f"{transform.name}: what its client half sends is admitted on arrival; it is refused: {reason}",
        )
    # Other transforms of the strategy keep their values in the same state.
    kept = np.ones(2, np.float32)
    sent = transform.encode(replace(_update(noise(2, _SIZE)), state={"others": kept}), state, _CONTEXT)
    law(
        "others" in sent.state and np.array_equal(sent.state["others"], kept),
        f"{transform.name}: encode keeps what other parts have put into the client's state.",
    )


def _check_not_finite(transform: Transform, state: Tree) -> None:
    # NaN passes a clip, because no comparison holds for it; scaling makes NaN of infinity.
    for bad in (np.nan, np.inf):
        payload = noise(3, _SIZE)
        payload[_SIZE // 2] = bad
        try:
            sent = transform.encode(_update(payload), state, _CONTEXT)
        except InvalidUpdateError:
            continue
        seen = transform.gives == "vector" and not np.isfinite(sent.payload).all()
        law(
            seen or transform.admit(sent, state, _CONTEXT) is not None,
            f"{transform.name}: an update with {bad} is refused, or stays so, so that the server sees it; it became a "
            "finite update.",
        )


def _check_server_half(transform: Transform, state: Tree) -> None:
    size = _SIZE + transform.adds(_SIZE)
    # An empty round as well: an aggregate of weight 0 must not become NaN.
    for aggregate in (Aggregate(np.zeros(size), 0.0), Aggregate(noise(4, size).astype(np.float64), 3.0)):
        given, kept = aggregate.value.copy(), written_and_read(state, transform.name)
        decoded, after = transform.decode(aggregate, state, _CONTEXT)
        again, _ = transform.decode(aggregate, kept, _CONTEXT)
        law(
            np.shape(decoded.value) == (_SIZE,) and bool(np.isfinite(decoded.value).all()),
            f"{transform.name}: decode gives a finite aggregate of the shape that it takes, [{_SIZE}], also in a "
            f"round without updates; it gave {described(decoded.value)}.",
        )
        law(
            same_bits(np.asarray(decoded.value), np.asarray(again.value)),
            f"{transform.name}: where noise is drawn from the seed, decode gives the same bits, also from a state "
            "that was written to a file and read.",
        )
        law(
            same_bits(aggregate.value, given) and same_state(state, kept),
            f"{transform.name}: decode leaves the aggregate and the state that it is given unchanged.",
        )
        written_and_read(after, transform.name)
