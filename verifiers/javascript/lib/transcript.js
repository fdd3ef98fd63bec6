// The hash chain of a proof, from which its challenges come.
import { sha512 } from "@noble/hashes/sha2.js";
import { shake256 } from "@noble/hashes/sha3.js";
import { ascii, bigEndian, joined, unsigned } from "./bytes.js";
import { Q } from "./group.js";

const framed = (data) => joined(bigEndian(BigInt(data.length), 8), data);

export class Transcript {
  state = new Uint8Array(64);

  /** Absorb bytes, or a number or a string in ASCII. */
  absorb(label, message) {
    const data = message instanceof Uint8Array ? message : ascii(String(message));
    this.state = sha512(joined(this.state, framed(ascii(label)), framed(data)));
    return this;
  }

  bytes(label, count) {
    return shake256(joined(this.state, framed(ascii(label))), { dkLen: count });
  }

  scalar(label) {
    return 1n + (unsigned(this.bytes(label, 64)) % (Q - 1n));
  }
}
