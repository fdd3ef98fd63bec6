"""What the tests of encryption share: bytes that were meddled with, and all that an object leads to."""

import gc
import hashlib
import types

import numpy as np

DIGEST = 32


def redigested(inner):
    """Meddled bytes with a digest that fits them, as a dishonest sender would send them."""
    return bytes(inner) + hashlib.sha256(inner).digest()


def flipped(data, position):
    changed = bytearray(data)
    changed[position] ^= 0x10
    return bytes(changed)


def meddled(data):
    """Truncated, lengthened and altered copies: every byte of the head and the digest, and some between."""
    yield from (data[:length] for length in (0, 1, 31, 48, 81, len(data) // 2, len(data) - 33, len(data) - 1))
    yield data + b"\0"
    yield bytes(len(data))
    positions = [*range(49), *range(49, len(data) - DIGEST, 9973), *range(len(data) - DIGEST, len(data))]
    yield from (flipped(data, position) for position in positions)


def values(rng, size, largest):
    return rng.integers(-largest, largest + 1, size)


def reached(*roots):
    """Every object that data of these objects lead to, closures and bound arguments among them.

    Types, modules and what a function finds by name in its module are code and no data.
    """
    seen, waiting = {}, list(roots)
    while waiting:
        one = waiting.pop()
        if id(one) in seen or isinstance(one, types.ModuleType | type | types.CodeType):
            continue
        seen[id(one)] = one
        if isinstance(one, types.FunctionType):
            waiting += [one.__closure__, one.__defaults__, one.__kwdefaults__, one.__dict__]
            continue
        waiting += gc.get_referents(one)
        if isinstance(one, np.ndarray) and one.base is not None:
            waiting.append(one.base)
        if isinstance(one, np.ndarray) and one.dtype.hasobject:
            waiting += one.ravel().tolist()
        if isinstance(one, memoryview):
            waiting.append(one.obj)
    return list(seen.values())
