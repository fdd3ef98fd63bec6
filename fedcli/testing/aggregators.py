"""Laws of aggregators, which combine the updates of a round into one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from fedcli.core.contracts import Aggregator
from fedcli.core.seeds import SERVER, generator
from fedcli.core.types import Array, Tree
from fedcli.testing.laws import described, law, noise, same_bits, same_state, updates_of, written_and_read

_SIZE = 5


def check_aggregator(rule: Aggregator, *, exact_order: bool = False, unanimous: bool = True) -> None:
    """Check an aggregator of vectors against the laws of fedcli's own aggregators.

    Args:
        rule: the aggregator.
        exact_order: if true, a permutation of the clients must not change a single bit; otherwise it may change the
            rounding of a float64 sum.
        unanimous: whether the aggregate of equal updates must be that update. Rules like a sign vote do not keep this
            law.

    Raises:
        AssertionError: names the law that does not hold.
    """
    law(rule.name, "an aggregator has a name.")
    law(
        "vector" in rule.accepts,
        f"{rule.name}: this check gives vectors; it accepts {', '.join(rule.accepts) or 'nothing'}.",
    )
    law(rule.min_clients >= 1, f"{rule.name}: min_clients is at least 1; it is {rule.min_clients}.")
    _check_few_updates(rule)
    _check_arguments(rule)
    _check_order(rule, exact_order)
    _check_values(rule, unanimous)


def value_of(
    rule: Aggregator,
    rows: Sequence[Array] | Array,
    weights: Sequence[float] | None = None,
    state: Tree | None = None,
) -> Array | None:
    """The aggregated update of one round, shape [P]; None if the model stays unchanged."""
    size = len(rows[0])
    begun = rule.init(size) if state is None else state
    aggregate, _ = rule.aggregate(updates_of(rows, weights), size, begun)
    law(
        np.shape(aggregate.value) == (size,),
        f"{rule.name}: an aggregate has the shape of an update, [{size}]; it is {described(aggregate.value)}.",
    )
    # An aggregate is a sum with its weight; weight 0 means that the model stays.
    return aggregate.value / aggregate.weight if aggregate.weight else None


def _enough(rule: Aggregator, number: int, size: int = _SIZE) -> npt.NDArray[np.float32]:
    return noise(number, rule.min_clients + 8, size)


def _check_few_updates(rule: Aggregator) -> None:
    state = rule.init(_SIZE)
    aggregate, after = rule.aggregate(iter([]), _SIZE, state)
    law(
        aggregate.weight == 0 and np.shape(aggregate.value) == (_SIZE,) and not np.any(aggregate.value),
        f"{rule.name}: without updates the aggregate is zeros [{_SIZE}] of weight 0, so that the model stays; it is "
        f"{described(aggregate.value)} of weight {aggregate.weight}.",
    )
    law(same_state(after, state), f"{rule.name}: without updates its state stays as it was.")

    rows = noise(2, rule.min_clients, _SIZE)
    law(
        value_of(rule, rows) is not None,
        f"{rule.name}: {rule.min_clients} updates, its min_clients, are enough; the aggregate has weight 0.",
    )
    aggregate, after = rule.aggregate(updates_of(rows[1:]), _SIZE, state)
    law(
        aggregate.weight == 0 and same_state(after, state),
        f"{rule.name}: with fewer updates than its min_clients, {rule.min_clients}, the aggregate has weight 0 and "
        f"the state stays; the weight is {aggregate.weight}.",
    )


def _check_arguments(rule: Aggregator) -> None:
    rows = _enough(rule, 3)
    state = rule.init(_SIZE)
    # Parts are pure functions: a rule must not write into its arguments.
    kept, updates = written_and_read(state, rule.name), updates_of(rows.copy())
    first, _ = rule.aggregate(updates, _SIZE, state)
    second, _ = rule.aggregate((update for update in updates_of(rows.copy())), _SIZE, state)
    law(
        same_bits(np.asarray(first.value), np.asarray(second.value)),
        f"{rule.name}: a list and a stream of the same updates give the same bits.",
    )
    law(
        np.asarray(first.value).dtype in (np.float32, np.float64),
        f"{rule.name}: an aggregate is float32 or float64; it is {described(first.value)}.",
    )
    law(
        all(same_bits(update.payload, row) for update, row in zip(updates, rows, strict=True)),
        f"{rule.name}: it leaves the updates that it is given unchanged.",
    )
    law(same_state(kept, state), f"{rule.name}: it leaves the state that it is given unchanged.")

    # As on resume: the state comes from a file.
    _, state = rule.aggregate(updates_of(_enough(rule, 5)), _SIZE, rule.init(_SIZE))
    later = updates_of(_enough(rule, 6))
    in_memory, left = rule.aggregate(later, _SIZE, state)
    resumed, right = rule.aggregate(later, _SIZE, written_and_read(state, rule.name))
    law(
        same_bits(np.asarray(in_memory.value), np.asarray(resumed.value)) and same_state(left, right),
        f"{rule.name}: a state that was written to a file and read gives the same bits in the next round.",
    )


def _check_order(rule: Aggregator, exact: bool) -> None:
    rng = generator(4, 0, SERVER, "laws")
    count = rule.min_clients + 8
    for trial in range(40):
        # Whole numbers make ties (equal distances, scores and updates), which a rule must not break by the order.
        whole = rng.choice([-2.0, -1.0, -0.0, 0.0, 1.0, 2.0, 0.1], (count, _SIZE)).astype(np.float32)
        rows = whole if trial % 4 else noise(100 + trial, count, _SIZE)
        weights = rng.choice([1.0, 2.0, 7.0], count)
        order = rng.permutation(count)
        before = value_of(rule, rows, weights.tolist())
        after = value_of(rule, rows[order], weights[order].tolist())
        if before is None or after is None:
            unchanged = before is after
        elif exact:
            unchanged = same_bits(before, after)
        else:
            unchanged = np.allclose(after, before, rtol=1e-12, atol=1e-14)
        law(
            unchanged,
            f"{rule.name}: a permutation of the clients changes "
            f"{'no bit' if exact else 'nothing but the rounding of float64'}; {before} became {after}.",
        )

    rows = _enough(rule, 1)
    # Descending, which shows in a rule that sorts by them.
    renamed = range(100 * len(rows), 0, -100)
    plain, _ = rule.aggregate(updates_of(rows), _SIZE, rule.init(_SIZE))
    other, _ = rule.aggregate(updates_of(rows, clients=renamed), _SIZE, rule.init(_SIZE))
    law(
        same_bits(np.asarray(plain.value), np.asarray(other.value)),
        f"{rule.name}: the numbers of the clients change no bit.",
    )


def _check_values(rule: Aggregator, unanimous: bool) -> None:
    # Sums and distances of such updates overflow in float32.
    largest = np.finfo(np.float32).max
    rows = _enough(rule, 7)
    rows[0], rows[1], rows[2] = largest, -largest, largest
    value = value_of(rule, rows)
    law(
        value is None or np.isfinite(value).all(),
        f"{rule.name}: finite updates of any size give a finite aggregate; it is {value}.",
    )
    if not unanimous:
        return
    # Of very different size, so that a detour through other sums would lose the small one.
    update = np.array([0.1, -3.3, 1e-20, 0.0, 7.0], np.float32)
    for count in {rule.min_clients, rule.min_clients + 8}:
        value = value_of(rule, [update] * count)
        law(
            value is not None and np.array_equal(value.astype(np.float32), update),
            f"{rule.name}: {count} equal updates give that update, {update}; they gave {value}.",
        )
