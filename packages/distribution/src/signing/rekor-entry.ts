// What a transparency log (Rekor) has recorded: an entry that has to be about this payload, this signature and this key, and the log's
// promise of it ("signed entry timestamp"), which also says when. Verified offline, with the log's public key. cosign 2 keeps both in
// an annotation; bundles have them, too (bundle-log-entry.ts).

import { createHash } from "node:crypto";

import { parsePem } from "./pem.ts";
import { parsePublicKey, type PublicKey } from "./public-key.ts";
import { signingError } from "./signing-error.ts";
import { type JsonObject, StrictJson } from "./strict-json.ts";

/** Annotation of a payload's descriptor. */
export const LOG_ANNOTATION = "dev.sigstore.cosign/bundle";

const LARGEST = 64 << 10;

/** What an entry has to be about. */
export interface LoggedSignature {
  /** A DSSE envelope around the payload; absent: the payload itself was signed. */
  readonly isEnvelope?: boolean;
  readonly payload: Uint8Array;
  readonly signature: Uint8Array;
  readonly key: PublicKey;
  /** The certificate that the key is from: the entry has to be about it, then. */
  readonly certificate?: Buffer;
}

/** An entry as the log has signed it. */
export interface PromisedEntry {
  /** In base64. */
  readonly body: string;
  readonly integratedTime: unknown;
  readonly logIndex: unknown;
  /** In hex. */
  readonly logID: string;
}

/** When it was logged, by cosign's annotation. @throws TeuError `denied` when no such entry was logged, `invalid` when it cannot be read. */
export function verifyLogEntry(annotation: string, logs: readonly PublicKey[], about: LoggedSignature): Date {
  const json = new StrictJson("log entry");
  const document = json.parse(Buffer.from(annotation), LARGEST);
  const { body, integratedTime, logIndex, logID } = json.object(document["Payload"], "Payload");
  const entry = { body: json.text(body, "body"), integratedTime, logIndex, logID: json.text(logID, "logID") };
  const timestamp = json.base64(document["SignedEntryTimestamp"], "SignedEntryTimestamp");
  const time = verifyPromise(json, entry, timestamp, logs);
  checkEntry(json, json.base64(body, "body"), about);
  return time;
}

/** When the entry was logged. @throws TeuError `denied` when none of the logs says so. */
export function verifyPromise(
  json: StrictJson,
  { body, integratedTime, logIndex, logID }: PromisedEntry,
  timestamp: Buffer,
  logs: readonly PublicKey[],
): Date {
  if (!Number.isSafeInteger(integratedTime) || !Number.isSafeInteger(logIndex))
    throw json.fault("integratedTime and logIndex must be whole numbers");
  // Canonical JSON: names sorted, no white space. No name or value here needs an escape that implementations differ in.
  const signed = Buffer.from(JSON.stringify({ body, integratedTime, logID, logIndex }));
  if (!logs.some((log) => log.verifies(signed, timestamp))) throw refused("no trusted log has signed it");
  return new Date(Number(integratedTime) * 1000);
}

/** @throws TeuError `denied` for an entry of something else, `invalid` for one of another kind. */
export function checkEntry(json: StrictJson, bytes: Buffer, about: LoggedSignature): void {
  const body = json.parse(bytes, LARGEST);
  const { kind, apiVersion } = body;
  const wanted = about.isEnvelope === true ? "dsse" : "hashedrekord";
  if (kind !== wanted || apiVersion !== "0.0.1")
    throw json.fault(`its kind is ${JSON.stringify(kind)} ${JSON.stringify(apiVersion)}, want ${wanted} 0.0.1`);
  const spec = json.object(body["spec"], "spec");
  const { hash, signature, key } = about.isEnvelope === true ? ofEnvelope(json, spec) : ofPayload(json, spec);
  const digest = createHash("sha256").update(about.payload).digest("hex");
  if (hash["algorithm"] !== "sha256" || hash["value"] !== digest) throw refused("it is of another payload");
  if (!signature.equals(about.signature)) throw refused("it is of another signature");
  checkKey(key, about);
}

interface EntryParts {
  readonly hash: JsonObject;
  readonly signature: Buffer;
  /** Key or certificate, PEM. */
  readonly key: string;
}

function ofPayload(json: StrictJson, spec: JsonObject): EntryParts {
  const made = json.object(spec["signature"], "signature");
  return {
    hash: json.object(json.object(spec["data"], "data")["hash"], "hash"),
    signature: json.base64(made["content"], "content"),
    key: json.base64(json.object(made["publicKey"], "publicKey")["content"], "publicKey.content").toString(),
  };
}

function ofEnvelope(json: StrictJson, spec: JsonObject): EntryParts {
  const signatures = json.array(spec["signatures"], "signatures");
  if (signatures.length !== 1) throw json.fault(`it has ${signatures.length} signatures, want one`);
  const made = json.object(signatures[0], "signature");
  return {
    hash: json.object(spec["payloadHash"], "payloadHash"),
    signature: json.base64(made["signature"], "signature"),
    key: json.base64(made["verifier"], "verifier").toString(),
  };
}

function checkKey(pem: string, { key, certificate }: LoggedSignature): void {
  if (certificate !== undefined) {
    const logged = parsePem(pem, "logged certificate");
    if (logged.label !== "CERTIFICATE" || !logged.bytes.equals(certificate))
      throw refused("it is of another certificate");
    return;
  }
  if (parsePem(pem, "logged key").label !== "PUBLIC KEY" || !parsePublicKey(pem).der.equals(key.der))
    throw refused("it is of another key");
}

function refused(message: string): Error {
  return signingError("denied", "verify log entry", message);
}
