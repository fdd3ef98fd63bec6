// One round: its parameters, proofs, sum and signatures.
import { ed25519 } from "@noble/curves/ed25519.js";
import { sha256, sha512 } from "@noble/hashes/sha2.js";
import { Refused, ascii, digest, joined, pieces, same, unhex } from "./bytes.js";
import { context } from "./context.js";
import { isDigest } from "./files.js";
import { readScalars } from "./group.js";
import { parse, write, writeJcs } from "./json.js";
import { allHold, checkProof } from "./proof.js";
import { readCommitment, readProof, statement } from "./statement.js";
import { checkSum } from "./sums.js";

export const FILES = ["parameters.json", "commitments.bin", "proofs.bin", "aggregate.bin", "blindings.bin"];
export const SIGNATURES = "signatures.bin";

const KEYS = [
  "protocol", "run", "round", "model", "clip_norm", "bits", "size", "max_examples", "divisor", "share",
  "noise_squared", "central_noise_squared", "clients",
];
const KEYS_2 = [...KEYS, "config", "num_clients", "cohort"];
const OF_CLIENT = ["client", "weight", "num_examples", "digest"];
const SAFE = BigInt(Number.MAX_SAFE_INTEGER);

const isCount = (value, least) => typeof value === "bigint" && value >= least && value <= SAFE;
const isNumber = (value) => (typeof value === "number" && Number.isFinite(value)) || typeof value === "bigint";
const ascending = (list) => list.every((value, index) => index === 0 || list[index - 1] < value);
const require_ = (holds, sentence) => {
  if (!holds) throw new Refused("file", sentence);
};

/** The values of parameters.json, in range. `expected` has protocol, run, round, config and numClients. */
export function readParameters(data, expected) {
  const { value, text } = parse(data);
  const isNew = expected.protocol === 2n;
  require_(value instanceof Map, "is not an object");
  const keys = [...value.keys()];
  const form = isNew ? writeJcs(value) : write(value, { indent: 2, sorted: false }) + "\n";
  require_(form === text, "is not in its only form");
  require_((isNew ? keys.sort().join() : keys.join()) === (isNew ? [...KEYS_2].sort() : KEYS).join(), "has other keys");
  const said = Object.fromEntries(value);
  for (const name of ["protocol", "run", "round"]) {
    require_(said[name] === expected[name], `has the ${name} ${String(said[name]).slice(0, 40)}`);
  }
  require_(isDigest(said.model), "has no digest of the model");
  require_(isCount(said.bits, 1n) && said.bits <= 25n, "has wrong bits");
  require_(isCount(said.size, 1n), "has a wrong size");
  require_(said.max_examples === null || isCount(said.max_examples, 1n), "has wrong max_examples");
  for (const name of ["noise_squared", "central_noise_squared"]) {
    require_(said[name] === null || isCount(said[name], 0n), `has a wrong ${name}`);
  }
  for (const name of ["clip_norm", "divisor", "share"]) require_(isNumber(said[name]) && said[name] >= 0, `has a wrong ${name}`);
  require_(Array.isArray(said.clients), "has no clients");
  said.clients = said.clients.map((entry) => readClient(entry, said, isNew));
  const numbers = said.clients.map((each) => each.client);
  require_(ascending(numbers) && numbers.every((number) => number < expected.numClients), "does not name each client once");
  if (isNew) {
    require_(said.config === expected.config, "is of another config.yaml");
    require_(said.num_clients === expected.numClients, "is of another population");
    const known = Array.isArray(said.cohort) && said.cohort.every((each) => isCount(each, 0n) && each < expected.numClients);
    require_(known && ascending(said.cohort), "has a wrong cohort");
    require_(numbers.every((number) => said.cohort.includes(number)), "has a client that is not in its cohort");
  }
  return said;
}

function readClient(entry, said, isNew) {
  require_(entry instanceof Map, "has a client that is not an object");
  const keys = [...entry.keys()];
  require_((isNew ? keys.sort().join() : keys.join()) === (isNew ? [...OF_CLIENT].sort() : OF_CLIENT).join(), "has a client with other keys");
  const [client, weight, examples, sent] = OF_CLIENT.map((name) => entry.get(name));
  require_(isCount(client, 0n) && isCount(examples, 0n) && isNumber(weight) && isDigest(sent), "has a client with wrong values");
  const most = said.max_examples;
  // Both are below 2^53, so that the division is the exact quotient, rounded once.
  const due = most === null ? 1 : Number(examples < most ? examples : most) / Number(most);
  require_(Number(weight) === due, `has a wrong weight of client ${client}`);
  return { client, weight: due, numExamples: examples, digest: sent };
}

/** The claims of a round in the order of its files: whose, statement and context. */
function claimsOf(said, aggregate) {
  const size = Number(said.size);
  const claims = [];
  for (const each of said.clients) {
    const bound = BigInt(Math.floor(each.weight * 2 ** Number(said.bits)));
    const of = [["update", bound * bound], ...(said.noise_squared === null ? [] : [["noise", said.noise_squared]])];
    for (const [about, squared] of of) {
      const whose = `the ${about} of client ${each.client}`;
      claims.push({ whose, said: statement(size, squared), context: context(said, about, each) });
    }
  }
  if (said.central_noise_squared !== null) {
    const bytes = context(said, "central noise", { digest: digest(aggregate) });
    claims.push({ whose: "the server's noise", said: statement(size, said.central_noise_squared), context: bytes });
  }
  return claims;
}

/**
 * Everything that is wrong with the files of a round, as [file, reason, sentence]; none if all holds.
 *
 * @param files contents by name
 * @param expected protocol, run, round, config, numClients, keys (of clients, or null)
 */
export function checkRound(files, expected) {
  const wrong = [];
  const attempt = (file, work) => {
    try {
      return work();
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      wrong.push([file, error.reason, error.message]);
      return null;
    }
  };
  const aggregate = files.get("aggregate.bin");
  const said = attempt("parameters.json", () => readParameters(files.get("parameters.json"), expected));
  if (!said) return { wrong, proofs: 0 };
  // Before anything of that size is made.
  const claims = attempt("aggregate.bin", () => {
    if (BigInt(aggregate.length) !== 8n * said.size) throw new Refused("length", `has ${aggregate.length} bytes`);
    return claimsOf(said, aggregate);
  });
  if (!claims) return { wrong, proofs: 0 };
  const cut = (file, lengths) => attempt(file, () => cutInPieces(files.get(file), lengths));
  const commitments = cut("commitments.bin", claims.map((claim) => claim.said.commitmentBytes));
  const proofs = cut("proofs.bin", claims.map((claim) => claim.said.proofBytes));
  if (!commitments || !proofs) return { wrong, proofs: 0 };
  claims.forEach((claim, index) => {
    claim.commitment = attempt("commitments.bin", () => named(claim, () => readCommitment(claim.said, commitments[index])));
    claim.proof = attempt("proofs.bin", () => named(claim, () => readProof(claim.said, proofs[index])));
  });
  const readable = claims.filter((claim) => claim.commitment && claim.proof);
  // One batch says yes or no; single checks say whose.
  if (!allHold(readable)) {
    for (const claim of readable) attempt("proofs.bin", () => named(claim, () => checkProof(claim)));
  }
  attempt("blindings.bin", () => {
    const blindings = files.get("blindings.bin");
    if (blindings.length % 32) throw new Refused("length", `has ${blindings.length} bytes`);
    if (claims.some((claim) => !claim.commitment)) throw new Refused("equation", "a summand cannot be read");
    const vector = pieces(aggregate, 8).map((each) => new DataView(each.buffer, each.byteOffset).getBigInt64(0, true));
    checkSum(claims.map((claim) => claim.commitment.points), vector, readScalars(blindings, "blindings"));
  });
  if (files.has(SIGNATURES)) attempt(SIGNATURES, () => checkSignatures(said, claims, commitments, files.get(SIGNATURES), expected.keys));
  return { wrong, proofs: claims.length, said };
}

const named = (claim, work) => {
  try {
    return work();
  } catch (error) {
    throw error instanceof Refused ? new Refused(error.reason, `${claim.whose}: ${error.message}`) : error;
  }
};

function cutInPieces(data, lengths) {
  const due = lengths.reduce((total, length) => total + length, 0);
  if (data.length !== due) throw new Refused("length", `has ${data.length} bytes, not ${due}`);
  let at = 0;
  return lengths.map((length) => data.subarray(at, (at += length)));
}

function checkSignatures(said, claims, commitments, data, keys) {
  if (data.length !== 64 * said.clients.length) throw new Refused("length", `has ${data.length} bytes`);
  const each = said.noise_squared === null ? 1 : 2;
  said.clients.forEach(({ client }, index) => {
    const parts = [];
    for (let at = each * index; at < each * (index + 1); at++) {
      parts.push(sha256(claims[at].context), sha256(commitments[at]));
    }
    const message = joined(ascii("fedcli client 2\n"), ...parts);
    if (!isSigned(keys[Number(client)], message, data.subarray(64 * index, 64 * index + 64))) {
      throw new Refused("signature", `client ${client} did not sign this`);
    }
  });
}

/** Ed25519 without the cofactor: the encoding of [S] B - [k] A is R. */
export function isSigned(key, message, signature) {
  try {
    const [A, R] = [unhex(key), signature.subarray(0, 32)];
    const little = (data) => BigInt("0x" + Buffer.from(data).reverse().toString("hex"));
    const order = ed25519.Point.Fn.ORDER;
    const S = little(signature.subarray(32));
    const k = little(sha512(joined(R, A, message))) % order;
    if (S >= order) return false;
    const owner = ed25519.Point.fromBytes(A);
    if (owner.isSmallOrder()) return false;
    const point = owner.negate().multiplyUnsafe(k).add(ed25519.Point.BASE.multiplyUnsafe(S));
    return same(point.toBytes(), R);
  } catch {
    return false;
  }
}
