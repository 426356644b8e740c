// Certificates of signers as an authority makes them, honest or not, and entries of a transparency log. Made from DER by hand: no
// library makes the wrong ones.

import { createHash, createPublicKey, generateKeyPairSync, type KeyObject, sign } from "node:crypto";

import { printPem } from "@teu/distribution/signing/pem";

import { commonName, identifier, sequence, tagged, time } from "./certificates.ts";

const ECDSA_SHA256 = "1.2.840.10045.4.3.2";

/** Whose certificate it is, of whom, and for how long (milliseconds since 1970). */
export interface CertificateParts {
  readonly subject: string;
  readonly key: KeyObject;
  readonly issuer: string;
  /** The issuer's key. */
  readonly by: KeyObject;
  readonly extensions: readonly Buffer[];
  readonly from: number;
  readonly to: number;
}

/** A key on P-256. */
export function newSigningKey(): KeyObject {
  return generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey;
}

/** The public half as SubjectPublicKeyInfo. */
export function publicDer(key: KeyObject): Buffer {
  return createPublicKey(key).export({ type: "spki", format: "der" });
}

/** An extension; `value` is its DER. */
export function extension(oid: string, value: Buffer, critical: boolean = false): Buffer {
  return sequence(identifier(oid), ...(critical ? [tagged(1, Buffer.from([0xff]))] : []), tagged(4, value));
}

/** "It is an authority", with at most `depth` others below it. */
export function isAuthority(depth?: number): Buffer {
  const below = depth === undefined ? [] : [tagged(2, Buffer.from([depth]))];
  return extension("2.5.29.19", sequence(tagged(1, Buffer.from([0xff])), ...below));
}

/** What it is for: code signing unless said otherwise. */
export function extendedUsage(usage: string = "1.3.6.1.5.5.7.3.3"): Buffer {
  return extension("2.5.29.37", sequence(identifier(usage)));
}

/** A first byte of key usages: 0x80 signs data, 0x04 certificates. */
export function keyUsage(bits: number): Buffer {
  return extension("2.5.29.15", tagged(3, Buffer.from([0, bits])));
}

/** E-mail addresses, or with another tag host names (0x82) or URIs (0x86). */
export function alternativeNames(names: readonly string[], tag: number = 0x81): Buffer {
  return extension("2.5.29.17", sequence(...names.map((name) => tagged(tag, Buffer.from(name)))));
}

/** Who vouched for the signer, in Fulcio's old form and in its new one. */
export function oidcIssuer(text: string, form: "old" | "new" = "old"): Buffer {
  const value = Buffer.from(text);
  return form === "old"
    ? extension("1.3.6.1.4.1.57264.1.1", value)
    : extension("1.3.6.1.4.1.57264.1.8", tagged(0x0c, value));
}

/** The certificate's DER. */
export function makeCertificate({ subject, key, issuer, by, extensions, from, to }: CertificateParts): Buffer {
  const algorithm = sequence(identifier(ECDSA_SHA256));
  const body = sequence(
    tagged(0xa0, tagged(2, Buffer.from([2]))),
    tagged(2, Buffer.from([1])),
    algorithm,
    commonName(issuer),
    sequence(time(new Date(from)), time(new Date(to))),
    commonName(subject),
    publicDer(key),
    tagged(0xa3, sequence(...extensions)),
  );
  return sequence(body, algorithm, tagged(3, Buffer.concat([Buffer.from([0]), sign("sha256", body, by)])));
}

/** What a log has recorded. */
export interface LoggedParts {
  readonly payload: Buffer;
  readonly signature: Buffer;
  readonly certificate: Buffer;
  /** Milliseconds since 1970. */
  readonly at: number;
  /** The log's key. */
  readonly log: KeyObject;
}

/** The annotation that cosign writes of a Rekor entry. */
export function logEntry({ payload, signature, certificate, at, log }: LoggedParts): string {
  const value = createHash("sha256").update(payload).digest("hex");
  const publicKey = { content: Buffer.from(printPem("CERTIFICATE", certificate)).toString("base64") };
  const entry = {
    apiVersion: "0.0.1",
    kind: "hashedrekord",
    spec: {
      data: { hash: { algorithm: "sha256", value } },
      signature: { content: signature.toString("base64"), publicKey },
    },
  };
  const body = Buffer.from(JSON.stringify(entry)).toString("base64");
  const Payload = { body, integratedTime: at / 1000, logID: "00", logIndex: 1 };
  const SignedEntryTimestamp = sign("sha256", Buffer.from(JSON.stringify(Payload)), log).toString("base64");
  return JSON.stringify({ SignedEntryTimestamp, Payload });
}

/** A bundle around a statement, with a signer's certificate. */
export interface CertificateBundleParts {
  readonly statement: Buffer;
  readonly key: KeyObject;
  /** The signer's, then others. */
  readonly certificates: readonly Buffer[];
  /** What the log has recorded; null: nothing. */
  readonly entry: {
    readonly payload: Buffer;
    readonly certificate: Buffer;
    readonly at: number;
    readonly log: KeyObject;
  } | null;
}

/** The bundle's bytes, as cosign 3 writes it. */
export function certificateBundle({ statement, key, certificates, entry }: CertificateBundleParts): Buffer {
  const payloadType = "application/vnd.in-toto+json";
  const head = `DSSEv1 ${payloadType.length} ${payloadType} ${statement.length} `;
  const signature = sign("sha256", Buffer.concat([Buffer.from(head), statement]), key).toString("base64");
  const shown = certificates.map((certificate) => ({ rawBytes: certificate.toString("base64") }));
  return Buffer.from(
    JSON.stringify({
      mediaType: "application/vnd.dev.sigstore.bundle.v0.3+json",
      verificationMaterial: {
        ...(shown.length === 1 ? { certificate: shown[0] } : { x509CertificateChain: { certificates: shown } }),
        tlogEntries: entry === null ? [] : [envelopeEntry({ ...entry, signature })],
      },
      dsseEnvelope: { payload: statement.toString("base64"), payloadType, signatures: [{ sig: signature }] },
    }),
  );
}

/** What a log has recorded of an envelope, with its promise; `signature` in base64. */
function envelopeEntry(parts: NonNullable<CertificateBundleParts["entry"]> & { readonly signature: string }): object {
  const { payload, certificate, at, log, signature } = parts;
  const verifier = Buffer.from(printPem("CERTIFICATE", certificate)).toString("base64");
  const hash = { algorithm: "sha256", value: createHash("sha256").update(payload).digest("hex") };
  const spec = { envelopeHash: hash, payloadHash: hash, signatures: [{ signature, verifier }] };
  const body = Buffer.from(JSON.stringify({ apiVersion: "0.0.1", kind: "dsse", spec })).toString("base64");
  const signed = { body, integratedTime: at / 1000, logID: "00", logIndex: 1 };
  const signedEntryTimestamp = sign("sha256", Buffer.from(JSON.stringify(signed)), log).toString("base64");
  return {
    logIndex: "1",
    logId: { keyId: "AA==" },
    kindVersion: { kind: "dsse", version: "0.0.1" },
    integratedTime: String(at / 1000),
    inclusionPromise: { signedEntryTimestamp },
    canonicalizedBody: body,
  };
}
