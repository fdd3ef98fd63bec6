// The context of a proof, as bytes.
import { ascii, digest } from "./bytes.js";
import { write, writeJcs } from "./json.js";

/**
 * @param round values of parameters.json by name: counts as BigInt, doubles as Number
 * @param about "update", "noise" or "central noise"
 * @param of digest, and of a client also client, weight and numExamples
 */
export function context(round, about, of) {
  const isServer = about === "central noise";
  const said = new Map([
    ["about", about],
    ["bits", round.bits],
    ["client", isServer ? null : of.client],
    ["clip_norm", Number(round.clip_norm)],
    ["digest", of.digest],
    ["model", round.model],
    ["protocol", round.protocol],
    ["round", round.round],
    ["run", round.run],
    ["weight", isServer ? null : Number(of.weight)],
  ]);
  if (round.protocol === 1n) return ascii(write(said));
  said.set("cohort", digest(ascii(writeJcs(round.cohort))));
  said.set("config", round.config);
  said.set("contributors", isServer ? round.clients.map((each) => each.client) : null);
  said.set("max_examples", round.max_examples);
  said.set("num_clients", round.num_clients);
  said.set("num_examples", isServer ? null : of.numExamples);
  return ascii(writeJcs(said));
}
