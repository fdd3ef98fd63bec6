"""Slow reference implementation of norm proofs: dense vectors, products as loops, hashing written out.

The prover accepts any rows, squares and responses, so that tests can forge proofs with it.
"""

import hashlib
from dataclasses import dataclass

from py_arkworks_bls12381 import G1Point, Scalar

from fedcli.crypto.norm_proofs.curve import ORDER

DOMAIN = b"fedcli-proofs-v1-BLS12381G1_XMD:SHA-256_SSWU_RO_"


@dataclass
class Statement:
    """The numbers of the statement, computed independently."""

    size: int
    squared: int
    count: int = 309

    def __post_init__(self):
        self.n = 4
        while self.n**2 < self.size:
            self.n += 1
        self.m = (self.size + self.n - 1) // self.n
        self.mask_rows = (self.count + self.n - 1) // self.n
        self.terms = self.m + 1 + self.mask_rows
        v = 0
        while v * v <= (self.size + 4) * self.squared:
            v += 1
        self.largest, self.mask_limit = v, v * 2**44
        self.limit = self.mask_limit - v
        self.response_bytes = 1
        while not self.mask_limit < 2 ** (8 * self.response_bytes - 1):
            self.response_bytes += 1


class Hash:
    """A SHA-512 chain of messages with their lengths in front, and SHAKE256 challenges."""

    def __init__(self):
        self.state = b"\0" * 64

    def say(self, label, message):
        framed = b"".join(len(part).to_bytes(8, "big") + part for part in (label.encode(), message))
        self.state = hashlib.sha512(self.state + framed).digest()

    def ask(self, label, count):
        framed = len(label).to_bytes(8, "big") + label.encode()
        return hashlib.shake_256(self.state + framed).digest(count)

    def scalar(self, label):
        return int.from_bytes(self.ask(label, 64), "big") % (ORDER - 1) + 1


def points_of(n):
    labels = [b"column " + str(i).encode() for i in range(n)] + [b"blinding", b"value"]
    return [G1Point.hash_to_curve(label, DOMAIN) for label in labels]


def encode(points):
    return b"".join(point.to_compressed_bytes() for point in points)


def combine(points, scalars):
    total = G1Point.identity()
    for point, scalar in zip(points, scalars, strict=True):
        total = total + point * Scalar(scalar % ORDER)
    return total


def in_rows(statement, vector, squares):
    """[m + 1][n]: the vector, padded, and the four squares, padded."""
    n, m = statement.n, statement.m
    flat = list(vector) + [0] * (m * n - len(vector))
    return [flat[i * n : (i + 1) * n] for i in range(m)] + [list(squares) + [0] * (n - 4)]


def start(statement, committed, context):
    log = Hash()
    log.say("protocol", b"fedcli norm proof 1")
    log.say("group", b"BLS12-381 G1")
    log.say("generators", hashlib.sha512(encode(points_of(statement.n))).digest())
    for label, number in [
        ("size", statement.size),
        ("columns", statement.n),
        ("squared", statement.squared),
        ("projections", statement.count),
        ("mask limit", statement.mask_limit),
    ]:
        log.say(label, str(number).encode())
    log.say("context", context)
    log.say("commitment", committed)
    return log


def ask_projections(log, s):
    """[(rows, columns)] of bits."""
    width = s.m + 1 + s.n
    data = log.ask("projections", (s.count * width + 7) // 8)
    bits = [data[place // 8] >> place % 8 & 1 for place in range(s.count * width)]
    chunks = [bits[k * width : (k + 1) * width] for k in range(s.count)]
    return [(chunk[: s.m + 1], chunk[s.m + 1 :]) for chunk in chunks]


def public_rows(s, projections, gamma, alpha, omega):
    """{j: the public row of X^-j}, dense."""
    public = {j: [0] * s.n for j in range(1, s.terms + 1)}
    for k, (rows, columns) in enumerate(projections):
        weight = alpha * pow(gamma, k, ORDER)
        for j in range(1, s.m + 2):
            for c in range(s.n):
                public[j][c] += weight * rows[j - 1] * columns[c]
        public[s.m + 2 + k // s.n][k % s.n] += weight
    place = 0
    for j in (s.m, s.m + 1):
        for c in range(s.n):
            if (j - 1) * s.n + c >= s.size if j == s.m else c >= 4:
                place += 1
                public[j][c] += pow(omega, place, ORDER)
    return public


def dot(left, right):
    return sum(a * b for a, b in zip(left, right, strict=True)) % ORDER


def prove(s, rows, blindings, committed, context, draw, forge_response=lambda z, limit: z):
    """The proof's bytes, whatever the rows are; `draw` in the order of fedcli's prover, after the four squares."""
    *columns, h, value = points_of(s.n)
    log = start(s, committed, context)
    blindings = [*blindings, draw(ORDER)]
    masks = [draw(2 * s.mask_limit + 1) - s.mask_limit for _ in range(s.count)]
    padded = masks + [0] * (s.mask_rows * s.n - s.count)
    mask_rows = [padded[t * s.n : (t + 1) * s.n] for t in range(s.mask_rows)]
    blindings += [draw(ORDER) for _ in mask_rows]
    squares = combine([*columns, h], [*rows[-1], blindings[s.m]])
    committed_masks = [
        combine([*columns, h], [*row, rho]) for row, rho in zip(mask_rows, blindings[s.m + 1 :], strict=True)
    ]
    log.say("squares", encode([squares]))
    log.say("masks", encode(committed_masks))
    projections = ask_projections(log, s)
    responses = []
    for mask, (left, right) in zip(masks, projections, strict=True):
        z = (mask + sum(b * dot(row, right) for b, row in zip(left, rows, strict=True))) % ORDER
        responses.append(forge_response(z if z <= ORDER // 2 else z - ORDER, s.limit))
    encoded = b"".join(z.to_bytes(s.response_bytes, "big", signed=True) for z in responses)
    log.say("responses", encoded)
    public = public_rows(s, projections, *(log.scalar(name) for name in ("gamma", "alpha", "omega")))

    a = {0: [draw(ORDER) for _ in range(s.n)]}
    a_blinding = draw(ORDER)
    last = [draw(ORDER) for _ in range(s.n)]
    b_blinding = draw(ORDER)
    a |= dict(enumerate([*rows, *mask_rows], 1))
    b = {j: [u + p for u, p in zip(rows[j - 1], public[j], strict=True)] for j in range(1, s.m + 2)}
    b |= {j: public[j] for j in range(s.m + 2, s.terms + 1)} | {s.terms + 1: last}
    product = dict.fromkeys(range(-s.terms - 1, s.terms), 0)
    for i, left in a.items():
        for j, right in b.items():
            product[i - j] += dot(left, right)
    powers = [power for power in product if power]
    taus = [draw(ORDER) for _ in powers]
    coefficients = [combine([value, h], [product[e], tau]) for e, tau in zip(powers, taus, strict=True)]
    blinds = [combine([*columns, h], [*a[0], a_blinding]), combine([*columns, h], [*last, b_blinding])]
    log.say("blinds", encode(blinds))
    log.say("coefficients", encode(coefficients))
    x = log.scalar("x")

    def at(power):
        return pow(x, power, ORDER)

    a_x = [sum(at(i) * row[c] for i, row in a.items()) for c in range(s.n)]
    b_x = [sum(at(-j) * rows[j - 1][c] for j in range(1, s.m + 2)) for c in range(s.n)]
    b_x = [entry + at(-s.terms - 1) * blind for entry, blind in zip(b_x, last, strict=True)]
    opened = [
        a_blinding + sum(at(i) * rho for i, rho in enumerate(blindings, 1)),
        at(-s.terms - 1) * b_blinding + sum(at(-j) * blindings[j - 1] for j in range(1, s.m + 2)),
        sum(at(e) * tau for e, tau in zip(powers, taus, strict=True)),
    ]
    scalars = b"".join((entry % ORDER).to_bytes(32, "big") for entry in [*a_x, *b_x, *opened])
    return encode([squares, *committed_masks]) + encoded + encode([*blinds, *coefficients]) + scalars


def holds(s, committed, proof, context):
    """Whether a well-formed proof holds: the three equations, one after the other."""
    *columns, h, value = points_of(s.n)
    rest = proof

    def take(count, size, read):
        nonlocal rest
        parts = [rest[i * size : (i + 1) * size] for i in range(count)]
        rest = rest[count * size :]
        return [read(part) for part in parts]

    first = take(1 + s.mask_rows, 48, G1Point.from_compressed_bytes)
    responses = take(s.count, s.response_bytes, lambda part: int.from_bytes(part, "big", signed=True))
    blind_a, blind_b, *coefficients = take(2 + 2 * s.terms, 48, G1Point.from_compressed_bytes)
    a_x, b_x = (take(s.n, 32, lambda part: int.from_bytes(part, "big")) for _ in range(2))
    opened = take(3, 32, lambda part: int.from_bytes(part, "big"))
    rows = [G1Point.from_compressed_bytes(committed[at : at + 48]) for at in range(0, len(committed), 48)]

    log = start(s, committed, context)
    log.say("squares", encode(first[:1]))
    log.say("masks", encode(first[1:]))
    projections = ask_projections(log, s)
    log.say("responses", b"".join(z.to_bytes(s.response_bytes, "big", signed=True) for z in responses))
    gamma, alpha, omega = (log.scalar(name) for name in ("gamma", "alpha", "omega"))
    public = public_rows(s, projections, gamma, alpha, omega)
    log.say("blinds", encode([blind_a, blind_b]))
    log.say("coefficients", encode(coefficients))
    x = log.scalar("x")

    def at(power):
        return pow(x, power, ORDER)

    known = [sum(at(-j) * row[c] for j, row in public.items()) for c in range(s.n)]
    claim = s.squared + alpha * sum(pow(gamma, k, ORDER) * z for k, z in enumerate(responses))
    powers = [e for e in range(-s.terms - 1, s.terms) if e]
    for_a, for_b = [blind_a, *rows, *first], [*rows, first[0], blind_b]
    return (
        all(abs(z) <= s.limit for z in responses)
        and combine(for_a, [at(i) for i in range(s.terms + 1)]) == combine([*columns, h], [*a_x, opened[0]])
        and combine(for_b, [at(-j) for j in [*range(1, s.m + 2), s.terms + 1]])
        == combine([*columns, h], [*b_x, opened[1]])
        and combine([value, *coefficients], [claim, *(at(e) for e in powers)])
        == combine([value, h], [dot(a_x, [b + p for b, p in zip(b_x, known, strict=True)]), opened[2]])
    )
