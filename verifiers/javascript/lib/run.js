// A run directory: the chain of its checkpoints, the chain of its rounds, and every round.
import { join } from "node:path";
import { Refused, ascii, digest, joined, unhex } from "./bytes.js";
import { LogPrefix, isDigest, names, readFile, readListed, readManifest, readWeights, roundName, rounds } from "./files.js";
import { parse } from "./json.js";
import { FILES, SIGNATURES, isSigned } from "./round.js";
import { spread } from "./threads.js";

const ARRAYS = ["weights.npz", "state.npz", "average.npz"];
const BOUND = ["config.yaml", "environment.json"];
const BOUND_SINCE = ["encryption.json", "model.json"];

/** Checks a run, and calls `say` with the result of each round. Returns what is wrong as {round, file, reason, sentence}. */
export async function checkRun(run, say) {
  const wrong = [];
  const attempt = (round, file, work) => {
    try {
      return work();
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      wrong.push({ round, file, reason: error.reason, sentence: error.message });
      return null;
    }
  };
  const expected = attempt(null, "environment.json", () => readEnvironment(run));
  const config = attempt(null, "config.yaml", () => digest(readFile(join(run, "config.yaml"))));
  const checkpoints = attempt(null, "checkpoints", () => rounds(join(run, "checkpoints"))) ?? [];
  const chain = checkChain(run, checkpoints, expected, attempt);
  if (!expected || !config || !chain.length) {
    if (!wrong.length) wrong.push({ round: null, file: "checkpoints", reason: "file", sentence: "has no checkpoint" });
    return { wrong, rounds: 0, proofs: 0, models: 0, head: null };
  }
  const last = chain[chain.length - 1].round;
  const total = { rounds: 0, proofs: 0, models: 0, pruned: chain.filter((link) => !link.model).length };
  const kept = attempt(null, "proofs", () => rounds(join(run, "proofs"))) ?? [];
  const bound = kept.filter((round) => round <= last);
  if (bound.length !== last || bound.some((round, index) => round !== index + 1)) {
    wrong.push({ round: null, file: "proofs", reason: "file", sentence: `does not have all rounds from 1 to ${last}` });
  }
  const links = bound.map((round) => ({
    round,
    folder: join(run, "proofs", roundName(round)),
    manifest: attempt(round, "manifest.json", () => roundManifest(run, round, expected)),
  }));
  links.forEach((link, index) => {
    if (!link.manifest) return;
    attempt(link.round, "manifest.json", () => {
      const before = index ? links[index - 1].manifest?.digest : null;
      if (link.manifest.previous !== before) throw new Refused("file", "does not follow from the round before it");
      const checkpoint = chain.find(({ round }) => round === link.round);
      if (checkpoint && checkpoint.evidence !== link.manifest.digest) {
        throw new Refused("file", "is not the evidence that the checkpoint of the round names");
      }
    });
  });
  // A round is read when its turn comes, because all of them may not fit into memory.
  const task = (link) => {
    const files = link.manifest && attempt(link.round, "proofs", () => readListed(link.folder, link.manifest));
    if (files && !files.size) say(link.round, null, []);
    return files?.size ? { files, expected: { round: BigInt(link.round), config, ...expected } } : null;
  };
  await spread(links, task, (link, result) => {
    for (const [file, reason, sentence] of result.wrong) wrong.push({ round: link.round, file, reason, sentence });
    total.proofs += result.proofs;
    const model = chain.find(({ round }) => round === link.round - 1)?.model;
    if (model && result.model) {
      total.models++;
      attempt(link.round, "parameters.json", () => {
        if (model !== result.model) throw new Refused("file", "is not about the model of the checkpoint before");
      });
    }
    say(link.round, result, wrong.filter((each) => each.round === link.round));
  });
  total.rounds = links.length;
  if (!total.proofs) wrong.push({ round: null, file: "proofs", reason: "file", sentence: "has no proof: there is nothing to verify" });
  return { wrong, ...total, head: chain[chain.length - 1].digest, later: kept.length - bound.length };
}

function readEnvironment(run) {
  const said = parse(readFile(join(run, "environment.json"))).value;
  const get = (name) => (said instanceof Map ? said.get(name) : undefined);
  const protocol = get("protocol") ?? 1n;
  const numClients = get("num_clients");
  if (typeof get("run") !== "string" || typeof numClients !== "bigint" || numClients < 1n || ![1n, 2n].includes(protocol)) {
    throw new Refused("file", "does not name run, clients and a known protocol");
  }
  const keys = get("keys") ?? null;
  if (protocol === 1n && keys === null) return { run: get("run"), protocol, numClients, server: null, keys: null };
  const [server, clients] = [keys?.get?.("server"), keys?.get?.("clients")];
  // Without keys of clients nobody would have signed the proofs.
  const sound = isDigest(server) && Array.isArray(clients) && clients.every(isDigest) && BigInt(clients.length) === numClients;
  if (sound && new Set([server, ...clients]).size !== clients.length + 1) throw new Refused("file", "has one key for two parties");
  if (!sound) throw new Refused("file", "has no public keys of server and clients");
  return { run: get("run"), protocol, numClients, server, keys: clients };
}

/** Every checkpoint's round, digest, evidence and model; what is wrong is attempted and named. */
function checkChain(run, checkpoints, expected, attempt) {
  const logs = new Map(["clients.jsonl", "metrics.jsonl"].map((name) => [name, attempt(null, name, () => new LogPrefix(join(run, name)))]));
  const chain = [];
  for (const round of checkpoints) {
    const folder = join(run, "checkpoints", roundName(round));
    const before = chain[chain.length - 1];
    attempt(round, `checkpoints/${roundName(round)}`, () => {
      const manifest = readManifest(folder, 3, round);
      const { facts } = manifest;
      if (manifest.previous !== (before ? before.digest : null)) throw new Refused("file", "does not follow from the one before it");
      if (before ? facts.get("follows") !== BigInt(before.round) : round !== 0) throw new Refused("file", "does not follow the one before it");
      if (!before) checkBound(run, facts.get("run"), expected);
      const isLast = round === checkpoints[checkpoints.length - 1];
      const signs = expected?.server ? ["signature.bin"] : [];
      const files = readListed(folder, manifest, { may: signs, absent: isLast ? [] : ARRAYS });
      for (const name of ["weights.npz", "state.npz"]) if (!manifest.files.has(name)) throw new Refused("file", `does not list ${name}`);
      for (const [name, log] of logs) {
        if (log && !log.holds(facts.get("logs")?.get?.(name))) throw new Refused("file", `${name} is not as it was at this checkpoint`);
      }
      // Before the signature, so that what another key signed is checked further.
      chain.push({ round, digest: manifest.digest, evidence: facts.get("evidence"), model: modelOf(files, facts.get("arrays")) });
      if (expected?.server) {
        const message = joined(ascii("fedcli head 2\n"), unhex(manifest.digest));
        const signature = readFile(join(folder, "signature.bin"));
        if (signature.length !== 64 || !isSigned(expected.server, message, signature)) throw new Refused("signature", "is not signed by the server");
      }
    });
  }
  return chain;
}

function checkBound(run, sums, expected) {
  const also = BOUND_SINCE.filter((name) => sums instanceof Map && sums.has(name));
  if (!(sums instanceof Map) || [...sums.keys()].sort().join() !== [...BOUND, ...also].sort().join()) {
    throw new Refused("file", "does not bind the files of the run");
  }
  const there = names(run);
  // Older runs do not bind them, and what a run of protocol 2 does not bind must not be there.
  const unbound = BOUND_SINCE.find((name) => !also.includes(name) && there.includes(name));
  if (unbound && expected?.protocol === 2n) throw new Refused("file", `does not bind ${unbound}`);
  for (const [name, sum] of sums) {
    const holds = sum === null && also.includes(name) ? !there.includes(name) : digest(readFile(join(run, name))) === sum;
    if (!holds) throw new Refused("file", `${name} is not the file that the run wrote`);
  }
}

function modelOf(files, arrays) {
  const trainable = arrays?.get?.("trainable");
  if (!files.has("weights.npz")) return null;
  if (!Array.isArray(trainable) || !trainable.every((name) => typeof name === "string")) throw new Refused("file", "does not name its arrays");
  return digest(readWeights(files.get("weights.npz"), trainable));
}

function roundManifest(run, round, expected) {
  const manifest = readManifest(join(run, "proofs", roundName(round)), 1, round);
  const listed = [...manifest.files.keys()].sort().join();
  const due = [...FILES, ...(expected.protocol === 2n && expected.keys ? [SIGNATURES] : [])].sort().join();
  if (listed && listed !== due) throw new Refused("file", "does not list the files of a round");
  return manifest;
}
