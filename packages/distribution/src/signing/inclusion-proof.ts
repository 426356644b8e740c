// That an entry is in a transparency log: a path of hashes in its Merkle tree (RFC 9162) from the entry to a root which the log has
// signed ("checkpoint", a signed note). It says nothing about when.

import { createHash } from "node:crypto";

import type { PublicKey } from "./public-key.ts";
import { signingError } from "./signing-error.ts";
import type { JsonObject, StrictJson } from "./strict-json.ts";

const LARGEST_CHECKPOINT = 8 << 10;
/** Enough for a tree of any size. */
const LONGEST_PATH = 64;
const MOST_SIGNATURES = 20;
const HASH_SIZE = 32;
/** In front of a key's signature in a note: which key it is, which is found out otherwise. */
const HINT_SIZE = 4;

/** `proof`: an InclusionProof of Sigstore's bundles. @throws TeuError `denied` when no trusted log has the entry, `invalid`. */
export function verifyInclusion(json: StrictJson, proof: JsonObject, entry: Buffer, logs: readonly PublicKey[]): void {
  const size = wholeNumber(json, proof["treeSize"], "treeSize");
  const root = hashIn(json, proof["rootHash"], "rootHash");
  const hashes = json.array(proof["hashes"] ?? [], "hashes");
  if (hashes.length > LONGEST_PATH) throw json.fault(`${hashes.length} hashes, limit is ${LONGEST_PATH}`);
  const path = hashes.map((hash, i) => hashIn(json, hash, `hash ${i}`));
  const reached = rootOf(wholeNumber(json, proof["logIndex"] ?? "0", "logIndex"), size, leafHash(entry), path);
  if (reached === null || !reached.equals(root)) throw refused("it does not lead to the log's root");
  const { envelope } = json.object(proof["checkpoint"], "checkpoint");
  verifyCheckpoint(json, json.text(envelope, "checkpoint.envelope"), size, root, logs);
}

function verifyCheckpoint(
  json: StrictJson,
  note: string,
  size: bigint,
  root: Buffer,
  logs: readonly PublicKey[],
): void {
  if (note.length > LARGEST_CHECKPOINT)
    throw json.fault(`its checkpoint has more than ${LARGEST_CHECKPOINT} characters`);
  const end = note.lastIndexOf("\n\n");
  const text = note.slice(0, end + 1);
  const [, signedSize, signedRoot] = text.split("\n");
  if (end < 0 || signedSize !== String(size) || signedRoot !== root.toString("base64"))
    throw refused("its checkpoint is of another tree");
  const lines = note
    .slice(end + 2)
    .split("\n")
    .filter((line) => line !== "");
  if (lines.length > MOST_SIGNATURES) throw json.fault(`${lines.length} signatures of its checkpoint`);
  const signatures = lines.map((line) => {
    const [, base64] = /^\u2014 \S+ (\S+)$/.exec(line) ?? [];
    return json.base64(base64, "signature of the checkpoint").subarray(HINT_SIZE);
  });
  const bytes = Buffer.from(text);
  if (!signatures.some((signature) => logs.some((log) => log.verifies(bytes, signature))))
    throw refused("no trusted log has signed its checkpoint");
}

/** The root of the tree of `size` leaves in which the path leads from this leaf; null: in none. */
function rootOf(index: bigint, size: bigint, leaf: Buffer, path: readonly Buffer[]): Buffer | null {
  if (index >= size) return null;
  let [node, last] = [index, size - 1n];
  let hash = leaf;
  for (const sibling of path) {
    if (last === 0n) return null;
    if (node % 2n === 1n || node === last) {
      hash = nodeHash(sibling, hash);
      // Without a sibling on these levels: the last node of each.
      while (node % 2n === 0n && node !== 0n) [node, last] = [node / 2n, last / 2n];
    } else hash = nodeHash(hash, sibling);
    [node, last] = [node / 2n, last / 2n];
  }
  return last === 0n ? hash : null;
}

// The first byte keeps a leaf from being taken for a node.
function leafHash(entry: Buffer): Buffer {
  return createHash("sha256")
    .update(Buffer.from([0]))
    .update(entry)
    .digest();
}

function nodeHash(left: Buffer, right: Buffer): Buffer {
  return createHash("sha256")
    .update(Buffer.from([1]))
    .update(left)
    .update(right)
    .digest();
}

function hashIn(json: StrictJson, value: unknown, where: string): Buffer {
  const hash = json.base64(value, where);
  if (hash.length === HASH_SIZE) return hash;
  throw json.fault(`${where} has ${hash.length} bytes, want ${HASH_SIZE}`);
}

// Numbers of 64 bits are texts in the JSON of protocol buffers.
function wholeNumber(json: StrictJson, value: unknown, where: string): bigint {
  const text = json.text(value, where);
  if (/^(?:0|[1-9][0-9]{0,18})$/.test(text)) return BigInt(text);
  throw json.fault(`${where} must be a whole number`);
}

function refused(message: string): Error {
  return signingError("denied", "verify log entry", message);
}
