// Runs the test vectors: every intermediate value of the true ones, and the reason of every false one.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Refused, hex, unhex } from "./bytes.js";
import { context } from "./context.js";
import { encode, generators, readScalars } from "./group.js";
import { allHold, checkProof, equations, opened } from "./proof.js";
import { isSigned } from "./round.js";
import { readCommitment, readProof, statement } from "./statement.js";
import { checkSum, sumOfRows } from "./sums.js";
import { Transcript } from "./transcript.js";

const scalar = (value) => value.toString(16).padStart(64, "0");

/** One line for each value that differs; none if all agree. */
export function runVectors(folder) {
  const read = (name) => JSON.parse(readFileSync(join(folder, name), "utf8"));
  const tally = { checked: 0, wrong: [] };
  const equal = (where, found, expected) => {
    tally.checked++;
    if (found !== expected) tally.wrong.push(`${where}: ${found} is not ${expected}`);
  };
  const refused = (where, reason, work) => {
    let found = "accepted";
    try {
      work();
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      found = error.reason;
    }
    equal(where, found, reason);
  };
  ofGenerators(read("generators.json"), equal);
  ofTranscript(read("transcript.json"), equal);
  // Where these differ, everything after them does.
  if (tally.wrong.length) return tally;
  ofContexts(read("contexts.json"), equal);
  ofSignatures(read("signatures.json"), equal);
  for (const size of [1, 5, 17, 2410]) ofProof(`proof-${size}`, read(`proof-${size}.json`), equal);
  ofFalse(read("false.json"), read("proof-5.json"), refused);
  ofSums(read("sums.json"), equal, refused);
  return tally;
}

function ofGenerators(said, equal) {
  const { columns, blinding, value } = generators(4);
  const names = [...columns.keys()].map((index) => `column ${index}`);
  [...columns, blinding, value].forEach((point, index) => {
    const name = [...names, "blinding", "value"][index];
    equal(`generator ${name}`, hex(encode(point)), said.columns_4[name]);
  });
  for (const [width, digest] of Object.entries(said.digests)) {
    equal(`generators ${width}`, hex(generators(Number(width)).digest), digest);
  }
}

function ofTranscript(said, equal) {
  const log = new Transcript();
  equal("transcript start", hex(log.state), said.start);
  for (const step of said.steps) {
    equal(`transcript ${step.label}`, hex(log.absorb(step.label, unhex(step.message)).state), step.state);
  }
  equal("transcript bytes", hex(log.bytes(said.bytes.label, said.bytes.count)), said.bytes.value);
  for (const [label, value] of Object.entries(said.scalars)) equal(`scalar ${label}`, scalar(log.scalar(label)), value);
}

function ofContexts(said, equal) {
  const double = (digits) => new DataView(unhex(digits).buffer).getFloat64(0);
  for (const { fields, text } of said.contexts) {
    const counts = ["bits", "round", "protocol", "num_clients", "max_examples"];
    const round = { ...fields, clip_norm: double(fields.clip_norm) };
    for (const name of counts) round[name] = fields[name] == null ? null : BigInt(fields[name]);
    round.cohort = fields.cohort?.map(BigInt);
    round.clients = fields.contributors?.map((client) => ({ client: BigInt(client) }));
    const of = { digest: fields.digest };
    if (fields.client !== null) {
      of.client = BigInt(fields.client);
      of.weight = double(fields.weight);
      of.numExamples = fields.num_examples == null ? null : BigInt(fields.num_examples);
    }
    equal("context", new TextDecoder().decode(context(round, fields.about, of)), text);
  }
}

function ofSignatures(said, equal) {
  for (const { why, holds, key, message, signature } of said.signatures) {
    equal(`signature, ${why}`, isSigned(key, unhex(message), unhex(signature)), holds);
  }
}

function ofProof(name, said, equal) {
  const numbers = said.statement;
  const made = statement(numbers.size, BigInt(numbers.squared), numbers.projections);
  const expected = {
    columns: made.columns, rows: made.rows, mask_rows: made.maskRows, terms: made.terms,
    largest_projection: made.largest, mask_limit: made.maskLimit, response_limit: made.limit,
    response_bytes: made.responseBytes, commitment_bytes: made.commitmentBytes, proof_bytes: made.proofBytes,
  };
  for (const [key, value] of Object.entries(expected)) equal(`${name} ${key}`, String(value), String(numbers[key]));
  const commitment = readCommitment(made, unhex(said.commitment));
  const proof = readProof(made, unhex(said.proof));
  const bytes = unhex(said.context);
  const values = opened(made, commitment, proof, bytes);
  for (const [key, state] of Object.entries(values.states)) equal(`${name} state ${key}`, hex(state), said.states[key]);
  equal(`${name} projections`, hex(values.bits), said.projections.bytes);
  const bit = (place) => (values.bits[place >> 3] >> (place & 7)) & 1;
  for (const [which, k] of [["first", 0], ["last", made.projections - 1]]) {
    const all = Array.from({ length: values.width }, (_, place) => bit(k * values.width + place)).join("");
    equal(`${name} ${which} rows`, all.slice(0, made.rows + 1), said.projections[`${which}_rows`]);
    equal(`${name} ${which} columns`, all.slice(made.rows + 1), said.projections[`${which}_columns`]);
  }
  said.responses.forEach((value, k) => equal(`${name} response ${k}`, String(proof.z[k]), value));
  for (const key of ["gamma", "alpha", "omega", "x", "product", "claimed"]) {
    equal(`${name} ${key}`, scalar(values[key]), said[key]);
  }
  said.public_b.forEach((value, column) => equal(`${name} g ${column}`, scalar(values.g[column]), value));
  for (const [key, sides] of Object.entries(equations(made, commitment, proof, values))) {
    sides.forEach((side, index) => equal(`${name} ${key} ${index}`, hex(encode(side)), said.equations[key][index]));
  }
  const claim = { said: made, commitment, proof, context: bytes };
  equal(`${name} holds`, allHold([claim, claim]), true);
  const other = { ...claim, context: new Uint8Array(1) };
  equal(`${name} does not hold for another context`, allHold([claim, other]), false);
  checkProof(claim);
  const entries = said.secret.vector.map(BigInt);
  checkSum([commitment.points], entries, said.secret.blindings.map((digits) => BigInt("0x" + digits)));
}

function ofFalse(said, proof, refused) {
  const edited = (name, edit) => {
    if (!edit) return unhex(proof[name]);
    const data = unhex(proof[name]);
    return Uint8Array.from([...data.subarray(0, edit.at), ...unhex(edit.put), ...data.subarray(edit.at + edit.cut)]);
  };
  for (const vector of said.false) {
    const size = vector.size ?? proof.statement.size;
    const squared = BigInt(vector.squared ?? proof.statement.squared);
    refused(vector.why, vector.reason, () => {
      const numbers = statement(size, squared, vector.projections ?? proof.statement.projections);
      const commitment = readCommitment(numbers, edited("commitment", vector.commitment));
      const shown = readProof(numbers, edited("proof", vector.proof));
      const bytes = unhex(vector.context ?? proof.context);
      checkProof({ said: numbers, commitment, proof: shown, context: bytes });
    });
  }
}

function ofSums(said, equal, refused) {
  const open = (vector) => {
    const size = vector.vector.length;
    const numbers = statement(size, 0n);
    const points = vector.commitments.map((data) => readCommitment(numbers, unhex(data)).points);
    checkSum(points, vector.vector.map(BigInt), readScalars(unhex(vector.blindings.join("")), "blindings"));
    return points;
  };
  sumOfRows(open(said.true)).forEach((point, row) => equal(`sum ${row}`, hex(encode(point)), said.true.total[row]));
  for (const vector of said.false) refused(vector.why, vector.reason, () => open(vector));
}
