// Checks rounds in a thread of its own.
import { parentPort } from "node:worker_threads";
import { checkRound } from "./round.js";

parentPort.on("message", ({ files, expected }) => {
  const started = performance.now();
  const { wrong, proofs, said } = checked(files, expected);
  parentPort.postMessage({ wrong, proofs, model: said?.model ?? null, seconds: (performance.now() - started) / 1000 });
});

// Whatever a forged file makes fail is a finding, not the end.
function checked(files, expected) {
  try {
    return checkRound(files, expected);
  } catch (error) {
    return { wrong: [["proofs", "error", String(error)]], proofs: 0 };
  }
}
