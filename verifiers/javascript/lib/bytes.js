// Bytes, integers and the one error that all files of this verifier throw.
import { sha256 } from "@noble/hashes/sha2.js";
import { bytesToHex, hexToBytes } from "@noble/hashes/utils.js";

export { bytesToHex as hex, hexToBytes as unhex };

/** Something that a verifier must refuse. `reason` is one of the words of false.json, or "file" for whole files. */
export class Refused extends Error {
  constructor(reason, message) {
    super(message);
    this.reason = reason;
  }
}

export const ascii = (text) => new TextEncoder().encode(text);

export const digest = (data) => bytesToHex(sha256(data));

export function joined(...parts) {
  const whole = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/** The unsigned integer of some bytes, the highest first. */
export const unsigned = (data) => (data.length ? BigInt("0x" + bytesToHex(data)) : 0n);

/** The integer of some bytes in two's complement, the highest first. */
export const signed = (data) => BigInt.asIntN(8 * data.length, unsigned(data));

/** An integer in so many bytes, the highest first. */
export const bigEndian = (value, size) => hexToBytes(value.toString(16).padStart(2 * size, "0"));

/** Pieces of equal size. */
export function pieces(data, size) {
  return Array.from({ length: data.length / size }, (_, index) => data.subarray(index * size, (index + 1) * size));
}

export const same = (one, other) => one.length === other.length && one.every((byte, index) => byte === other[index]);
