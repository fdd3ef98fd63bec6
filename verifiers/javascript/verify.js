#!/usr/bin/env node
// Verifies the proofs and sums of a run directory, or the test vectors. Written from docs/proof-format.md alone.
import { checkRun } from "./lib/run.js";
import { stop } from "./lib/threads.js";
import { runVectors } from "./lib/vectors.js";

const USAGE = `Usage: node verify.js [--json] RUN...
       node verify.js --vectors FOLDER

Verifies the proofs and sums of the run directory RUN, or runs the test vectors of FOLDER.
With --json it prints one line for each run. Exits 0 if everything holds, 1 if something does not, 2 for a wrong call.`;

const count = (number, noun) => `${number} ${noun}${number === 1 ? "" : "s"}`;

async function main(words) {
  const flags = words.filter((word) => word.startsWith("--"));
  const paths = words.filter((word) => !word.startsWith("--"));
  if (!paths.length || flags.some((flag) => !["--json", "--vectors"].includes(flag))) {
    console.error(USAGE);
    return 2;
  }
  if (flags.includes("--vectors")) return vectors(paths[0]);
  let worst = 0;
  for (const path of paths) worst = Math.max(worst, await (flags.includes("--json") ? asJson : asText)(path));
  return worst;
}

function vectors(folder) {
  const { checked, wrong } = runVectors(folder);
  wrong.forEach((line) => console.log(`REFUSED ${line}`));
  console.log(wrong.length ? `${wrong.length} of ${checked} values differ.` : `All ${checked} values of the vectors agree.`);
  return wrong.length ? 1 : 0;
}

async function asJson(run) {
  const found = await checkRun(run, () => {});
  console.log(JSON.stringify({ run, ...found }));
  return found.wrong.length ? 1 : 0;
}

async function asText(run) {
  const started = performance.now();
  const found = await checkRun(run, (round, result, wrong) => {
    const verdict = wrong.length ? "REFUSED" : "hold";
    const what = result ? `${count(result.proofs, "proof")} and the sum: ${verdict}  ${result.seconds.toFixed(1)} s` : "void";
    console.log(`round ${round}  ${what}`);
  });
  for (const { round, file, sentence } of found.wrong) {
    console.log(`REFUSED ${round === null ? "" : `round ${round}: `}${file}: ${sentence}`);
  }
  if (found.later) console.log(`proofs has ${count(found.later, "round")} after the last checkpoint, which nothing binds.`);
  if (found.pruned) console.log(`${count(found.pruned, "checkpoint")} without arrays: their models were not compared.`);
  const seconds = `${((performance.now() - started) / 1000).toFixed(1)} s`;
  const all = `${count(found.rounds, "round")}, ${count(found.proofs, "proof")}, ${count(found.models, "model")} compared`;
  console.log(found.wrong.length ? `${count(found.wrong.length, "thing")} refused (${all}, ${seconds}).` : `All of it holds: ${all}, head ${found.head} (${seconds}).`);
  return found.wrong.length ? 1 : 0;
}

process.exitCode = await main(process.argv.slice(2));
stop();
