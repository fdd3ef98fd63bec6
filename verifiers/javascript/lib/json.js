// JSON in the three forms of the format. Counts are BigInt and doubles are Number, because `10` is not `10.0`.
import { Refused } from "./bytes.js";

const DEEPEST = 64;

class Reader {
  constructor(text) {
    this.text = text;
    this.at = 0;
  }

  fail() {
    throw new Refused("file", "is not JSON");
  }

  space() {
    while (" \n\r\t".includes(this.text[this.at] ?? "x")) this.at++;
  }

  match(pattern) {
    pattern.lastIndex = this.at;
    const found = pattern.exec(this.text);
    if (found) this.at = pattern.lastIndex;
    return found && found[0];
  }

  expect(character) {
    this.space();
    if (this.text[this.at++] !== character) this.fail();
  }

  value(depth = 0) {
    if (depth > DEEPEST) this.fail();
    this.space();
    const first = this.text[this.at];
    if (first === "{") return this.object(depth);
    if (first === "[") return this.array(depth);
    if (first === '"') return this.string();
    const word = this.match(/true|false|null/y);
    if (word) return { true: true, false: false, null: null }[word];
    const number = this.match(/-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?/y);
    if (!number || number.length > 400) this.fail();
    if (/^-?[0-9]+$/.test(number)) return BigInt(number);
    return Number(number);
  }

  string() {
    const found = this.match(/"(?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"/y);
    return found ? JSON.parse(found) : this.fail();
  }

  object(depth) {
    const result = new Map();
    this.list("{", "}", () => {
      this.space();
      const key = this.string();
      if (result.has(key)) this.fail();
      this.expect(":");
      result.set(key, this.value(depth + 1));
    });
    return result;
  }

  array(depth) {
    const result = [];
    this.list("[", "]", () => result.push(this.value(depth + 1)));
    return result;
  }

  list(open, close, entry) {
    this.expect(open);
    this.space();
    if (this.text[this.at] === close) {
      this.at++;
      return;
    }
    for (;;) {
      entry();
      this.space();
      const next = this.text[this.at++];
      if (next === close) return;
      if (next !== ",") this.fail();
    }
  }
}

/** The value of a file: objects as Map, counts as BigInt, doubles as Number. */
export function parse(data) {
  let text;
  try {
    text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(data);
  } catch {
    throw new Refused("file", "is not UTF-8");
  }
  const reader = new Reader(text);
  const value = reader.value();
  reader.space();
  if (reader.at !== text.length) reader.fail();
  return { value, text };
}

// --- Forms

/** A double with the fewest digits, with `.0` or an exponent: `10.0`, `1e-05`. */
export function writeDouble(value) {
  if (!Number.isFinite(value)) throw new Refused("file", "has a number that is not finite");
  if (value === 0) return Object.is(value, -0) ? "-0.0" : "0.0";
  const [digits, exponent] = Math.abs(value).toExponential().split("e");
  const sign = value < 0 ? "-" : "";
  const power = Number(exponent);
  if (power < -4 || power >= 16) {
    return `${sign}${digits}e${power < 0 ? "-" : "+"}${String(Math.abs(power)).padStart(2, "0")}`;
  }
  const plain = digits.replace(".", "");
  if (power < 0) return `${sign}0.${"0".repeat(-power - 1)}${plain}`;
  const whole = plain.padEnd(power + 1, "0");
  return `${sign}${whole.slice(0, power + 1)}.${whole.slice(power + 1) || "0"}`;
}

const SHORT = { '"': '\\"', "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\b": "\\b", "\f": "\\f" };

function writeAscii(text) {
  const escape = (unit) => SHORT[unit] ?? `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`;
  return `"${text.replace(/["\\]|[^ -~]/g, escape)}"`;
}

const byCodePoint = ([one], [other]) => Buffer.compare(Buffer.from(one), Buffer.from(other));

/** The plain form, or with `indent` the indented one; `sorted` keys or those of the Map. */
export function write(value, { indent = 0, sorted = true } = {}, depth = 0) {
  if (value === null || typeof value === "boolean") return String(value);
  if (typeof value === "bigint") return value.toString();
  if (typeof value === "number") return writeDouble(value);
  if (typeof value === "string") return writeAscii(value);
  const isArray = Array.isArray(value);
  const inner = (each) => write(each, { indent, sorted }, depth + 1);
  const pairs = isArray ? null : sorted ? [...value].sort(byCodePoint) : [...value];
  const entries = isArray ? value.map(inner) : pairs.map(([key, each]) => `${writeAscii(key)}:${indent ? " " : ""}${inner(each)}`);
  const [open, close] = isArray ? "[]" : "{}";
  if (!entries.length || !indent) return open + entries.join(",") + close;
  const line = "\n" + " ".repeat(indent * (depth + 1));
  return open + line + entries.join("," + line) + "\n" + " ".repeat(indent * depth) + close;
}

/** RFC 8785: ECMAScript's own numbers and strings, keys sorted by UTF-16 code units. */
export function writeJcs(value) {
  if (typeof value === "bigint") {
    if (value > BigInt(Number.MAX_SAFE_INTEGER) || value < BigInt(Number.MIN_SAFE_INTEGER)) {
      throw new Refused("file", "has an integer beyond 2^53 - 1");
    }
    return value.toString();
  }
  if (value === null || typeof value !== "object") return JSON.stringify(value);
  if (Array.isArray(value)) return `[${value.map(writeJcs).join(",")}]`;
  const keys = [...value.keys()].sort();
  return `{${keys.map((key) => `${JSON.stringify(key)}:${writeJcs(value.get(key))}`).join(",")}}`;
}
