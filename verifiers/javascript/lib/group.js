// G1 of BLS12-381: points, scalars modulo q, generators, and sums of multiples.
import { randomBytes } from "node:crypto";
import { bls12_381 } from "@noble/curves/bls12-381.js";
import { pippenger } from "@noble/curves/abstract/curve.js";
import { sha512 } from "@noble/hashes/sha2.js";
import { Refused, ascii, joined, pieces, unsigned } from "./bytes.js";

const Point = bls12_381.G1.Point;
const Fp = bls12_381.fields.Fp;

export const Q = 0x73eda753299d7d483339d80809a1d80553bda402fffe5bfeffffffff00000001n;
const P = 0x1a0111ea397fe69a4b1ba7b6434bacd764774b84f38512bf6730d2a0f6b0f6241eabfffeb153ffffb9feffffffffaaabn;
const DOMAIN = "fedcli-proofs-v1-BLS12381G1_XMD:SHA-256_SSWU_RO_";
const POINT = 48;
const MANY = 256; // points from which a common check of the subgroup is faster
const GROUPED = 8; // random bits by which points are put in heaps at once

export const NEUTRAL = Point.ZERO;
export const modulo = (value) => ((value % Q) + Q) % Q;

/** The 48 bytes of a point. The library has none for the neutral one. */
export const encode = (point) =>
  point.is0() ? joined(Uint8Array.of(0xc0), new Uint8Array(47)) : point.toBytes(true);

// --- Points

/** Points of 48 bytes each, on the curve; `requireSubgroup` has to follow. */
export const readPoints = (data, name) => pieces(data, POINT).map((each, index) => onCurve(each, `${name}[${index}]`));

/** Refuse points outside the subgroup, which costs more than reading them, and less for many at once. */
export function requireSubgroup(points) {
  if (points.length >= MANY && allInSubgroup(points)) return;
  if (!points.every((point) => point.isTorsionFree())) throw new Refused("point", "a point is not in the subgroup");
}

/** A point of the curve, which may be outside the subgroup. Decoded here: the format allows exactly one form. */
function onCurve(encoded, name) {
  const flags = encoded[0] & 0xe0;
  const x = unsigned(joined(Uint8Array.of(encoded[0] & 0x1f), encoded.subarray(1)));
  if (flags === 0xc0 && x === 0n) return NEUTRAL;
  if (!(flags & 0x80) || flags & 0x40 || x >= P) throw new Refused("point", `${name} is not in canonical form`);
  let y;
  try {
    y = Fp.sqrt(Fp.add(Fp.mul(Fp.sqr(x), x), 4n));
  } catch {
    throw new Refused("point", `${name} is not on the curve`);
  }
  const wantsLarger = (flags & 0x20) !== 0;
  if (y > (P - 1n) / 2n !== wantsLarger) y = P - y;
  return Point.fromAffine({ x, y });
}

/**
 * Whether all points are in the subgroup; a wrong yes has a probability of 2^-128.
 *
 * 128 sums of random halves are checked. If one point is outside, the sum with it and the sum without it cannot both
 * be inside. The halves of GROUPED sums are found at once: points are added up in heaps by their random bits.
 */
function allInSubgroup(points) {
  for (let round = 0; round < 128 / GROUPED; round++) {
    const drawn = randomBytes(points.length);
    let heaps = new Array(1 << GROUPED).fill(NEUTRAL);
    points.forEach((point, index) => {
      heaps[drawn[index]] = heaps[drawn[index]].add(point);
    });
    while (heaps.length > 1) {
      const half = heaps.length / 2;
      const [without, within] = [heaps.slice(0, half), heaps.slice(half)];
      if (!within.reduce((total, heap) => total.add(heap), NEUTRAL).isTorsionFree()) return false;
      heaps = without.map((heap, index) => heap.add(within[index]));
    }
  }
  return true;
}

// --- Scalars

/** Scalars of 32 bytes each. */
export function readScalars(data, name) {
  return pieces(data, 32).map((encoded, index) => {
    const value = unsigned(encoded);
    if (value >= Q) throw new Refused("scalar", `${name}[${index}] is not below the order`);
    return value;
  });
}

export function power(base, exponent) {
  let result = 1n;
  for (let rest = exponent; rest > 0n; rest >>= 1n, base = (base * base) % Q) {
    if (rest & 1n) result = (result * base) % Q;
  }
  return result;
}

export const inverse = (value) => power(value, Q - 2n);

/** base^0, base^1, ... so many of them. */
export function powers(base, count) {
  const found = [1n];
  while (found.length < count) found.push((found[found.length - 1] * base) % Q);
  return found.slice(0, count);
}

export const dot = (left, right) => left.reduce((total, value, index) => (total + value * right[index]) % Q, 0n);

/** A secret random factor of 128 bits, never zero. */
export const randomFactor = () => 1n + unsigned(randomBytes(16));

// --- Sums of multiples

/** The sum of scalar times point. */
export function combination(points, scalars) {
  if (points.length !== scalars.length) throw new Error(`${points.length} points and ${scalars.length} scalars`);
  return pippenger(Point, points, scalars.map(modulo));
}

// --- Generators

const made = new Map();

/** The generators for rows of so many columns, and the digest of their encodings. */
export function generators(columns) {
  if (!made.has(columns)) {
    const labels = [...Array(columns).keys()].map((index) => `column ${index}`);
    const points = [...labels, "blinding", "value"].map((label) => bls12_381.G1.hashToCurve(ascii(label), { DST: DOMAIN }));
    const [blinding, value] = points.slice(columns);
    const digest = sha512(joined(...points.map(encode)));
    made.set(columns, { columns: points.slice(0, columns), blinding, value, digest });
  }
  return made.get(columns);
}

export const isSame = (one, other) => one.equals(other);
