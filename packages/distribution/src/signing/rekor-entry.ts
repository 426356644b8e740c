// cosign 2's proof that a signature is in a transparency log: the log's signature ("signed entry timestamp") of an entry, which has
// to be about this payload, this signature and this key. Verified offline, with the log's public key.

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
  readonly payload: Uint8Array;
  readonly signature: Uint8Array;
  readonly key: PublicKey;
  /** The certificate that the key is from: the entry has to be about it, then. */
  readonly certificate?: Buffer;
}

/** When it was logged. @throws TeuError `denied` when no such entry was logged, `invalid` when it cannot be read. */
export function verifyLogEntry(annotation: string, logs: readonly PublicKey[], about: LoggedSignature): Date {
  const json = new StrictJson("log entry");
  const document = json.parse(Buffer.from(annotation), LARGEST);
  const { body, integratedTime, logIndex, logID } = json.object(document["Payload"], "Payload");
  if (!Number.isSafeInteger(integratedTime) || !Number.isSafeInteger(logIndex))
    throw json.fault("integratedTime and logIndex must be whole numbers");
  const text = json.text(body, "body");
  // Canonical JSON: names sorted, no white space. No name or value here needs an escape that implementations differ in.
  const signed = JSON.stringify({ body: text, integratedTime, logID: json.text(logID, "logID"), logIndex });
  const timestamp = json.base64(document["SignedEntryTimestamp"], "SignedEntryTimestamp");
  if (!logs.some((log) => log.verifies(Buffer.from(signed), timestamp))) throw refused("no trusted log has signed it");
  checkBody(json, json.parse(json.base64(body, "body"), LARGEST), about);
  return new Date(Number(integratedTime) * 1000);
}

function checkBody(
  json: StrictJson,
  body: JsonObject,
  { payload, signature, key, certificate }: LoggedSignature,
): void {
  const { kind, apiVersion } = body;
  if (kind !== "hashedrekord" || apiVersion !== "0.0.1")
    throw json.fault(`its kind is ${JSON.stringify(kind)} ${JSON.stringify(apiVersion)}, want hashedrekord 0.0.1`);
  const spec = json.object(body["spec"], "spec");
  const hash = json.object(json.object(spec["data"], "data")["hash"], "hash");
  const made = json.object(spec["signature"], "signature");
  const pem = json.base64(json.object(made["publicKey"], "publicKey")["content"], "publicKey.content").toString();
  const digest = createHash("sha256").update(payload).digest("hex");
  if (hash["algorithm"] !== "sha256" || hash["value"] !== digest) throw refused("it is of another payload");
  if (!json.base64(made["content"], "content").equals(signature)) throw refused("it is of another signature");
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
