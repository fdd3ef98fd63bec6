// Layout, the numbers of a statement, and the parts of a proof.
import { Refused, pieces, signed } from "./bytes.js";
import { Q, readPoints, readScalars } from "./group.js";

export const PROJECTIONS = 309;
const EXACT = 1n << 53n;

const ceilDiv = (a, b) => Math.floor((a + b - 1) / b);

export function squareRoot(value) {
  if (value < 2n) return value;
  let root = 1n << BigInt(Math.ceil(value.toString(2).length / 2));
  for (;;) {
    const next = (root + value / root) >> 1n;
    if (next >= root) return root;
    root = next;
  }
}

/** n and m of d integers. */
export function layout(size) {
  const root = Number(squareRoot(BigInt(size)));
  const columns = Math.max(4, root * root < size ? root + 1 : root);
  return { columns, rows: ceilDiv(size, columns) };
}

/** All numbers of "the squares of d integers add up to at most B2". */
export function statement(size, squared, projections = PROJECTIONS) {
  if (!(size >= 1)) throw new Refused("range", "a statement is about one integer at least");
  const { columns, rows } = layout(size);
  const maskRows = ceilDiv(projections, columns);
  const terms = rows + 1 + maskRows;
  if (squared < 0n || squared >= 1n << 52n) throw new Refused("range", `the squared bound ${squared} is out of range`);
  const largest = squareRoot(BigInt(size + 4) * squared) + 1n;
  const maskLimit = largest << 44n;
  const limit = maskLimit - largest;
  if (largest >= EXACT || BigInt(size + 4) * (4n * (limit + 1n)) ** 2n >= Q) {
    throw new Refused("range", "size and bound are too large for the order of the group");
  }
  const responseBytes = Math.floor((maskLimit.toString(2).length + 8) / 8);
  return {
    size, squared, projections, columns, rows, maskRows, terms, largest, maskLimit, limit, responseBytes,
    commitmentBytes: 48 * rows,
    proofBytes: 48 * (1 + maskRows + 2 + 2 * terms) + projections * responseBytes + 32 * (2 * columns + 3),
  };
}

export function readCommitment(said, data) {
  if (data.length !== said.commitmentBytes) {
    throw new Refused("length", `a commitment has ${data.length} bytes, not ${said.commitmentBytes}`);
  }
  return { bytes: data, points: readPoints(data, "commitment") };
}

/** The parts of a proof, whose points are on the curve but not yet in the subgroup, and the bytes of those that are absorbed. */
export function readProof(said, data) {
  if (data.length !== said.proofBytes) {
    throw new Refused("length", `a proof has ${data.length} bytes, not ${said.proofBytes}`);
  }
  let at = 0;
  const take = (count) => data.subarray(at, (at += count));
  const squares = take(48);
  const masks = take(48 * said.maskRows);
  const responses = take(said.projections * said.responseBytes);
  const blinds = take(96);
  const coefficients = take(96 * said.terms);
  const z = pieces(responses, said.responseBytes).map(signed);
  z.forEach((value, index) => {
    if (value > said.limit || value < -said.limit) throw new Refused("response", `response ${index} is beyond its limit`);
  });
  const scalars = readScalars(take(32 * (2 * said.columns + 3)), "proof.scalars");
  return {
    bytes: { squares, masks, responses, blinds, coefficients },
    squares: readPoints(squares, "squares")[0],
    masks: readPoints(masks, "masks"),
    z,
    blinds: readPoints(blinds, "blinds"),
    coefficients: readPoints(coefficients, "coefficients"),
    a: scalars.slice(0, said.columns),
    b: scalars.slice(said.columns, 2 * said.columns),
    blindings: scalars.slice(2 * said.columns),
  };
}

export const pointsOf = (commitment, proof) =>
  [...commitment.points, proof.squares, ...proof.masks, ...proof.blinds, ...proof.coefficients];
