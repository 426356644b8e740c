// Log entries inside Sigstore bundles: recorded by a trusted log, and about the signature in the bundle.

import { isTeuError } from "@teu/base/errors";

import { verifyInclusion } from "./inclusion-proof.ts";
import type { PublicKey } from "./public-key.ts";
import { checkEntry, type LoggedSignature, verifyPromise } from "./rekor-entry.ts";
import { signingError } from "./signing-error.ts";
import { type JsonObject, StrictJson } from "./strict-json.ts";

/** Entries of one bundle that are looked at; everybody writes one. */
const MOST_ENTRIES = 10;

/**
 * When one of the logs has recorded the signature; null: it has, and nothing says when. Only a log's promise has the time in it: the
 * time that stands beside a proof alone is anybody's word.
 * @throws TeuError `denied` when none of the entries is good, `invalid`.
 */
export function verifyBundleEntries(
  document: JsonObject,
  logs: readonly PublicKey[],
  about: LoggedSignature,
): Date | null {
  const json = new StrictJson("log entry");
  const material = json.object(document["verificationMaterial"], "verificationMaterial");
  const entries = json.array(material["tlogEntries"] ?? [], "tlogEntries");
  if (entries.length === 0) throw refused("it has no log entry");
  if (entries.length > MOST_ENTRIES) throw json.fault(`${entries.length} entries, limit is ${MOST_ENTRIES}`);
  let reason: unknown;
  for (const entry of entries) {
    try {
      return verifyEntry(json, json.object(entry, "entry"), logs, about);
    } catch (error) {
      if (!isTeuError(error)) throw error;
      reason = error;
    }
  }
  throw reason;
}

function verifyEntry(
  json: StrictJson,
  entry: JsonObject,
  logs: readonly PublicKey[],
  about: LoggedSignature,
): Date | null {
  const body = json.base64(entry["canonicalizedBody"], "canonicalizedBody");
  const { inclusionPromise: promise, inclusionProof: proof } = entry;
  let time: Date | null = null;
  if (isThere(promise)) {
    const { signedEntryTimestamp } = json.object(promise, "inclusionPromise");
    const { keyId } = json.object(entry["logId"], "logId");
    const promised = {
      body: body.toString("base64"),
      integratedTime: numberOf(entry["integratedTime"]),
      logIndex: numberOf(entry["logIndex"]),
      logID: json.base64(keyId, "logId.keyId").toString("hex"),
    };
    time = verifyPromise(json, promised, json.base64(signedEntryTimestamp, "signedEntryTimestamp"), logs);
  } else if (isThere(proof)) verifyInclusion(json, json.object(proof, "inclusionProof"), body, logs);
  else throw refused("it has neither promise nor proof of its log");
  checkEntry(json, body, about);
  return time;
}

function isThere(value: unknown): boolean {
  return value !== undefined && value !== null;
}

// Numbers of 64 bits are texts in the JSON of protocol buffers; what is none is refused as one that is not whole.
function numberOf(value: unknown): unknown {
  return typeof value === "string" && /^(?:0|[1-9][0-9]{0,15})$/.test(value) ? Number(value) : undefined;
}

function refused(message: string): Error {
  return signingError("denied", "verify log entry", message);
}
