// The challenges of a proof, and its three equations.
import { Refused } from "./bytes.js";
import { NEUTRAL, Q, combination, dot, generators, inverse, isSame, modulo, powers, randomFactor, requireSubgroup } from "./group.js";
import { pointsOf } from "./statement.js";
import { Transcript } from "./transcript.js";

/** Everything that follows from statement, commitment, proof and context: states, challenges, g, both scalars. */
export function opened(said, commitment, proof, context) {
  const base = generators(said.columns);
  const states = {};
  const log = new Transcript()
    .absorb("protocol", "fedcli norm proof 1")
    .absorb("group", "BLS12-381 G1")
    .absorb("generators", base.digest)
    .absorb("size", said.size)
    .absorb("columns", said.columns)
    .absorb("squared", said.squared)
    .absorb("projections", said.projections)
    .absorb("mask limit", said.maskLimit)
    .absorb("context", context)
    .absorb("commitment", commitment.bytes);
  states.commitment = log.state;
  log.absorb("squares", proof.bytes.squares).absorb("masks", proof.bytes.masks);
  states.masks = log.state;
  const width = said.rows + 1 + said.columns;
  const bits = log.bytes("projections", Math.ceil((said.projections * width) / 8));
  log.absorb("responses", proof.bytes.responses);
  states.responses = log.state;
  const [gamma, alpha, omega] = ["gamma", "alpha", "omega"].map((label) => log.scalar(label));
  log.absorb("blinds", proof.bytes.blinds).absorb("coefficients", proof.bytes.coefficients);
  states.coefficients = log.state;
  const x = log.scalar("x");

  const rising = powers(x, said.terms + 2);
  const falling = powers(inverse(x), said.terms + 2);
  const gammas = powers(gamma, said.projections);
  const g = publicPart(said, { bits, width, gammas, alpha, omega }, falling);
  const product = dot(proof.a, proof.b.map((value, column) => value + g[column]));
  const claimed = modulo(said.squared + alpha * dot(gammas, proof.z));
  return { states, bits, width, gamma, alpha, omega, x, rising, falling, g, product, claimed, base };
}

/** g_1 ... g_n: projections, padding and masks. */
function publicPart(said, { bits, width, gammas, alpha, omega }, falling) {
  const { columns: n, rows: m } = said;
  const isOne = (place) => (bits[place >> 3] >> (place & 7)) & 1;
  const g = new Array(n).fill(0n);
  for (let k = 0; k < said.projections; k++) {
    const start = k * width;
    const weight = (alpha * gammas[k]) % Q;
    let sum = 0n;
    for (let j = 1; j <= m + 1; j++) if (isOne(start + j - 1)) sum += falling[j];
    const factor = (weight * (sum % Q)) % Q;
    for (let c = 0; c < n; c++) if (isOne(start + m + 1 + c)) g[c] += factor;
    g[k % n] += weight * falling[m + 2 + Math.floor(k / n)];
  }
  let weight = 1n;
  const pad = (column, row) => {
    weight = (weight * omega) % Q;
    g[column] += weight * falling[row];
  };
  for (let c = n - (m * n - said.size); c < n; c++) pad(c, m);
  for (let c = 4; c < n; c++) pad(c, m + 1);
  return g.map((value) => value % Q);
}

/** Both sides of each equation, as points. */
export function equations(said, commitment, proof, values) {
  const { rising, falling, base } = values;
  const rows = [...commitment.points, proof.squares];
  const open = (scalars, blinding) => combination([...base.columns, base.blinding], [...scalars, blinding]);
  return {
    a: [
      combination([proof.blinds[0], ...rows, ...proof.masks], rising.slice(0, said.terms + 1)),
      open(proof.a, proof.blindings[0]),
    ],
    b: [
      combination([...rows, proof.blinds[1]], [...falling.slice(1, said.rows + 2), falling[said.terms + 1]]),
      open(proof.b, proof.blindings[1]),
    ],
    product: [
      combination([base.value, ...proof.coefficients], [values.claimed, ...coefficientPowers(said, values)]),
      combination([base.value, base.blinding], [values.product, proof.blindings[2]]),
    ],
  };
}

/** x^e for e = -(M + 1) ... M - 1 without 0. */
function coefficientPowers(said, { rising, falling }) {
  return [...falling.slice(1).reverse(), ...rising.slice(1, said.terms)];
}

/** Check one proof; the first equation that does not hold is the reason. */
export function checkProof({ said, commitment, proof, context }) {
  requireSubgroup(pointsOf(commitment, proof));
  const values = opened(said, commitment, proof, context);
  for (const [name, [left, right]] of Object.entries(equations(said, commitment, proof, values))) {
    if (!isSame(left, right)) throw new Refused(name, `equation ${name} does not hold`);
  }
}

/** Whether many proofs about equally many integers hold: all equations added up with random factors. */
export function allHold(claims) {
  if (!claims.length) return true;
  try {
    requireSubgroup(claims.flatMap(({ commitment, proof }) => pointsOf(commitment, proof)));
  } catch (error) {
    if (error instanceof Refused) return false;
    throw error;
  }
  const base = generators(claims[0].said.columns);
  const shared = new Array(base.columns.length + 2).fill(0n);
  const points = [...base.columns, base.blinding, base.value];
  const scalars = [];
  for (const { said, commitment, proof, context } of claims) {
    const values = opened(said, commitment, proof, context);
    const { rising, falling } = values;
    const [forA, forB, forT] = [randomFactor(), randomFactor(), randomFactor()];
    const rows = [...commitment.points, proof.squares];
    points.push(...rows, ...proof.masks, ...proof.blinds, ...proof.coefficients);
    rows.forEach((_, index) => scalars.push(forA * rising[index + 1] + forB * falling[index + 1]));
    proof.masks.forEach((_, index) => scalars.push(forA * rising[said.rows + 2 + index]));
    scalars.push(forA, forB * falling[said.terms + 1]);
    coefficientPowers(said, values).forEach((value) => scalars.push(forT * value));
    proof.a.forEach((value, column) => (shared[column] -= forA * value + forB * proof.b[column]));
    const [ra, rb, rt] = proof.blindings;
    shared[said.columns] -= forA * ra + forB * rb + forT * rt;
    shared[said.columns + 1] += forT * (values.claimed - values.product);
  }
  return isSame(combination(points, [...shared, ...scalars]), NEUTRAL);
}
