// Reads a stranger's run directory: regular files only, through no links, of bounded size; manifests; weights.
import { closeSync, constants, fstatSync, lstatSync, openSync, readFileSync, readSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { sha256 } from "@noble/hashes/sha2.js";
import { Refused, ascii, digest, hex, joined } from "./bytes.js";
import { parse, write } from "./json.js";

const [LARGEST, LARGEST_JSON, LARGEST_LOG, PIECE] = [1 << 30, 1 << 26, 2 ** 36, 1 << 20];
const DIGEST = /^[0-9a-f]{64}$/;
const ROUND = /^round-([0-9]{5}|[1-9][0-9]{5,14})$/;

export const isDigest = (value) => typeof value === "string" && DIGEST.test(value);

export function readFile(path) {
  return opened(path, path.endsWith(".json") ? LARGEST_JSON : LARGEST, (file) => new Uint8Array(readFileSync(file)));
}

/** What `use` makes of an open file and its size. */
function opened(path, largest, use) {
  let file;
  try {
    file = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    const found = fstatSync(file);
    if (!found.isFile() || found.size > largest) throw new Refused("file", "is not a regular file, or is too large");
    return use(file, found.size);
  } catch (error) {
    if (error instanceof Refused) throw error;
    throw new Refused("file", error.code === "ENOENT" ? "is missing" : `cannot be read: ${error.code}`);
  } finally {
    if (file !== undefined) closeSync(file);
  }
}

/** The names in a folder, which must not be a link. */
export function names(path) {
  try {
    if (lstatSync(path).isDirectory()) return readdirSync(path).sort();
  } catch {
    // Named below, whatever the reason.
  }
  throw new Refused("file", "is not a folder");
}

/** The rounds that have a folder, ascending; drafts of a killed process are left out. */
export function rounds(folder) {
  const found = [];
  for (const name of names(folder)) {
    const round = ROUND.exec(name);
    if (round) found.push(Number(round[1]));
    else if (!/^\.round-[0-9]+\.tmp$/.test(name)) throw new Refused("file", `has ${name.slice(0, 40)}, which is not a round`);
  }
  return found.sort((one, other) => one - other);
}

export const roundName = (round) => `round-${String(round).padStart(5, "0")}`;

/** A manifest that is as it was written: its values, the digest by which others name it, and its bytes. */
export function readManifest(folder, format, round) {
  const data = readFile(join(folder, "manifest.json"));
  const { value, text } = parse(data);
  if (!(value instanceof Map)) throw new Refused("file", "is not a manifest");
  const files = value.get("sha256");
  const sound = files instanceof Map && [...files].every(([name, sum]) => isName(name) && isDigest(sum));
  const previous = value.get("previous");
  if (!sound || !(previous === null || isDigest(previous))) throw new Refused("file", "is not a manifest");
  const body = new Map(value);
  body.delete("self");
  if (write(value, { indent: 1 }) + "\n" !== text || digest(ascii(write(body, { indent: 1 }) + "\n")) !== value.get("self")) {
    throw new Refused("file", "is not as it was written");
  }
  if (value.get("format") !== BigInt(format) || value.get("round") !== BigInt(round)) {
    throw new Refused("file", `is not of format ${format} and round ${round}`);
  }
  return { facts: value, files, previous, digest: digest(data) };
}

const isName = (name) => !["", ".", "..", "manifest.json"].includes(name) && !/[/\0]/.test(name);

/** The files of a folder by name, each with the digest that the manifest states; no others are allowed. */
export function readListed(folder, manifest, { may = [], absent = [] } = {}) {
  const found = names(folder);
  const known = ["manifest.json", ...manifest.files.keys(), ...may];
  const stranger = found.find((name) => !known.includes(name));
  if (stranger !== undefined) throw new Refused("file", `has ${stranger.slice(0, 40)}, which is not in the manifest`);
  const contents = new Map();
  for (const [name, sum] of manifest.files) {
    if (absent.includes(name) && !found.includes(name)) continue;
    try {
      const data = readFile(join(folder, name));
      if (digest(data) !== sum) throw new Refused("file", "is not the file that the run wrote");
      contents.set(name, data);
    } catch (error) {
      throw error instanceof Refused ? new Refused("file", `${name} ${error.message}`) : error;
    }
  }
  return contents;
}

/** Check that a log begins with so many bytes of that digest, for ascending marks. It is read in pieces. */
export class LogPrefix {
  constructor(path) {
    this.path = path;
    this.at = 0;
    this.hash = sha256.create();
    this.size = opened(path, LARGEST_LOG, (_, size) => size);
  }

  holds(mark) {
    const bytes = mark instanceof Map ? mark.get("bytes") : undefined;
    if (typeof bytes !== "bigint" || bytes < this.at || bytes > this.size) return false;
    opened(this.path, LARGEST_LOG, (file) => {
      const piece = new Uint8Array(PIECE);
      for (let read; this.at < bytes; this.at += read) {
        read = readSync(file, piece, 0, Math.min(PIECE, Number(bytes) - this.at), this.at);
        if (!read) throw new Refused("file", "changes while it is read");
        this.hash.update(piece.subarray(0, read));
      }
    });
    return hex(this.hash.clone().digest()) === mark.get("sha256");
  }
}

// --- weights.npz

const HEADER = /^\{'descr': '<f4', 'fortran_order': False, 'shape': \((|[0-9]+,|[0-9]+(?:, [0-9]+)+)\), \} *\n$/;

/** The values of named arrays as bytes: a ZIP of stored members, each an NPY of float32. */
export function readWeights(data, wanted) {
  const members = zipMembers(data);
  return joined(...wanted.map((name) => {
    const member = members.get(`${name}.npy`);
    if (!member) throw new Refused("file", `has no array ${String(name).slice(0, 40)}`);
    const begins = hex(member.subarray(0, 8)) === "934e554d50590100";
    const length = member.length >= 10 ? member[8] + 256 * member[9] : 0;
    const header = HEADER.exec(new TextDecoder("latin1").decode(member.subarray(10, 10 + length)));
    if (!begins || !header) throw new Refused("file", `has no float32 array ${name.slice(0, 40)}`);
    const size = header[1].split(",").filter((axis) => axis.trim()).reduce((total, axis) => total * BigInt(axis), 1n);
    const values = member.subarray(10 + length);
    if (4n * size !== BigInt(values.length)) throw new Refused("file", `has a wrong shape of ${name.slice(0, 40)}`);
    return values;
  }));
}

function zipMembers(data) {
  const view = new DataView(data.buffer, data.byteOffset, data.length);
  const damaged = () => new Refused("file", "is not a ZIP of stored members");
  try {
    // The archive has no comment, so the end record is the last 22 bytes.
    const end = data.length - 22;
    if (view.getUint32(end, true) !== 0x06054b50) throw damaged();
    const count = view.getUint16(end + 10, true);
    let at = view.getUint32(end + 16, true);
    const members = new Map();
    for (let index = 0; index < count; index++) {
      if (view.getUint32(at, true) !== 0x02014b50) throw damaged();
      const [flags, method] = [view.getUint16(at + 8, true), view.getUint16(at + 10, true)];
      const [packed, size, local] = [20, 24, 42].map((place) => view.getUint32(at + place, true));
      const [nameLength, extra, comment] = [28, 30, 32].map((place) => view.getUint16(at + place, true));
      const name = new TextDecoder("utf-8", { fatal: true }).decode(data.subarray(at + 46, at + 46 + nameLength));
      // Names and extra fields of the local header have lengths of their own.
      const start = local + 30 + view.getUint16(local + 26, true) + view.getUint16(local + 28, true);
      if (method !== 0 || flags & 1 || packed !== size || start + size > data.length || members.has(name)) throw damaged();
      members.set(name, data.subarray(start, start + size));
      at += 46 + nameLength + extra + comment;
    }
    return members;
  } catch (error) {
    throw error instanceof Refused ? error : damaged();
  }
}
