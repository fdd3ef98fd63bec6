// Sums of commitments and their openings.
import { Refused } from "./bytes.js";
import { NEUTRAL, combination, generators, isSame, randomFactor, requireSubgroup } from "./group.js";
import { layout } from "./statement.js";

/** Check that integers and blindings open the sum of some commitments (each an array of points). */
export function checkSum(commitments, vector, blindings) {
  const { columns, rows } = layout(vector.length);
  if (!commitments.length) throw new Refused("length", "there is no commitment to sum");
  if (commitments.some((points) => points.length !== rows) || blindings.length !== rows) {
    throw new Refused("length", `${vector.length} integers have ${rows} rows and as many blindings`);
  }
  if (vector.some((entry) => entry >= 1n << 62n || entry <= -(1n << 62n))) {
    throw new Refused("range", "the sum has an integer beyond 2^62");
  }
  requireSubgroup(commitments.flat());
  const base = generators(columns);
  const totals = sumOfRows(commitments);
  const factors = totals.map(randomFactor);
  const combined = new Array(columns).fill(0n);
  vector.forEach((entry, index) => (combined[index % columns] -= factors[Math.floor(index / columns)] * entry));
  const blinding = blindings.reduce((total, rho, row) => total - factors[row] * rho, 0n);
  const found = combination([...totals, ...base.columns, base.blinding], [...factors, ...combined, blinding]);
  if (!isSame(found, NEUTRAL)) throw new Refused("equation", "the sum does not open the commitments");
}

/** The commitments added up, row by row. */
export function sumOfRows(commitments) {
  return commitments[0].map((_, row) => commitments.reduce((total, points) => total.add(points[row]), NEUTRAL));
}
