// Trust in certificates instead of keys ("keyless"): Fulcio's, which say who signed and are good for minutes, together with what logs
// and timestamp authorities say about when. All of that comes with the signature; whom to believe is in a file of roots, and nothing
// is asked of the network. Certificates, logs and timestamps are verified by Sigstore's own library: import this file when it is
// needed, it is the only one that loads that.

import { createHash } from "node:crypto";

import { bundleFromJSON } from "@sigstore/bundle";
import { TrustedRoot } from "@sigstore/protobuf-specs";
import { toSignedEntity, toTrustMaterial, Verifier } from "@sigstore/verify";
import { errorText } from "@teu/base/errors";

import { bundleClaim, readBundle } from "./bundle.ts";
import type { SignatureClaim, SignedImage } from "./claim.ts";
import type { FoundSignature } from "./find-signatures.ts";
import { parsePem } from "./pem.ts";
import { LOG_ANNOTATION } from "./rekor-entry.ts";
import { signingError } from "./signing-error.ts";
import { readSimpleSigning } from "./simple-signing.ts";
import { type JsonObject, StrictJson } from "./strict-json.ts";
import { CERTIFICATE_ANNOTATION } from "./trust-in-authorities.ts";
import type { SignatureTrust } from "./verify-image.ts";

/** Who has to have signed: texts are compared as a whole, patterns are looked for anywhere. */
export interface CertificateWish {
  /** Of the certificate's subject: an e-mail address, or the address of a workflow. */
  readonly identity: string | RegExp;
  /** Who has vouched for that: "https://accounts.google.com". */
  readonly issuer: string | RegExp;
}

/** Largest file of roots that is read. */
export const LARGEST_TRUSTED_ROOT: number = 4 << 20;

const LARGEST_LOG_ENTRY = 64 << 10;

type Readable = Exclude<FoundSignature, { format: "unreadable" }>;

/** `trustedRoot`: a trusted_root.json, as `cosign trusted-root create` makes it. @throws TeuError `invalid`. */
export function trustInCertificates(trustedRoot: Uint8Array, wish: CertificateWish): SignatureTrust {
  const json = new StrictJson("trusted root");
  const roots = json.parse(trustedRoot, LARGEST_TRUSTED_ROOT);
  // What is missing or of another type is an empty list to the library.
  for (const name of ["tlogs", "certificateAuthorities"])
    if (json.array(roots[name], name).length === 0) throw json.fault(`it has no ${name}`);
  const verifier = attempt(
    "invalid",
    "read trusted root",
    () => new Verifier(toTrustMaterial(TrustedRoot.fromJSON(roots))),
  );
  const checkSigner = (document: JsonObject, message: Buffer | undefined): void => {
    const { identity } = attempt("denied", "verify signature", () =>
      verifier.verify(toSignedEntity(bundleFromJSON(document), message)),
    );
    // The library's own comparison takes a text for a pattern, and finds it anywhere.
    fits("certificate's identity", identity?.subjectAlternativeName, wish.identity);
    fits("certificate's issuer", identity?.extensions?.issuer, wish.issuer);
  };
  return {
    verify: (found, image) => {
      if (found.format === "unreadable") throw found.fault;
      return verifyByCertificate(found, image, checkSigner);
    },
  };
}

function verifyByCertificate(
  found: Readable,
  image: SignedImage,
  checkSigner: (document: JsonObject, message: Buffer | undefined) => void,
): SignatureClaim {
  if (found.format === "tag") {
    checkSigner(asBundle(found), Buffer.from(found.payload));
    return readSimpleSigning(found.payload, image);
  }
  const { content, document } = readBundle(found.bytes);
  const { publicKey } = new StrictJson("sigstore bundle").object(document["verificationMaterial"], "material");
  if (publicKey !== undefined) throw signingError("denied", "verify signature", "it is of a key, not of a certificate");
  checkSigner(document, content.kind === "message" ? Buffer.from(image.bytes) : undefined);
  return bundleClaim(content, image);
}

// What cosign 2 keeps in annotations, in the form of today.
function asBundle(found: Readable & { format: "tag" }): JsonObject {
  const { annotations, payload, signature } = found;
  const [certificate, entry] = [annotations[CERTIFICATE_ANNOTATION], annotations[LOG_ANNOTATION]];
  if (certificate === undefined) throw signingError("denied", "verify signature", "it has no certificate");
  if (entry === undefined) throw signingError("denied", "verify signature", "it has no log entry");
  const { label, bytes } = parsePem(certificate, "certificate");
  if (label !== "CERTIFICATE") throw signingError("invalid", "read certificate", `it is a ${label}`);
  const json = new StrictJson("log entry");
  const document = json.parse(Buffer.from(entry), LARGEST_LOG_ENTRY);
  const logged = json.object(document["Payload"], "Payload");
  const body = json.parse(json.base64(logged["body"], "body"), LARGEST_LOG_ENTRY);
  const tlogEntry = {
    logIndex: String(wholeNumber(json, logged, "logIndex")),
    logId: { keyId: Buffer.from(json.text(logged["logID"], "logID"), "hex").toString("base64") },
    kindVersion: { kind: json.text(body["kind"], "kind"), version: json.text(body["apiVersion"], "apiVersion") },
    integratedTime: String(wholeNumber(json, logged, "integratedTime")),
    inclusionPromise: { signedEntryTimestamp: json.text(document["SignedEntryTimestamp"], "SignedEntryTimestamp") },
    canonicalizedBody: logged["body"],
  };
  return {
    mediaType: "application/vnd.dev.sigstore.bundle+json;version=0.1",
    verificationMaterial: {
      x509CertificateChain: { certificates: [{ rawBytes: bytes.toString("base64") }] },
      tlogEntries: [tlogEntry],
    },
    messageSignature: {
      messageDigest: { algorithm: "SHA2_256", digest: createHash("sha256").update(payload).digest("base64") },
      signature,
    },
  };
}

function wholeNumber(json: StrictJson, object: JsonObject, name: string): number {
  const value = json.field(object, name, "Payload");
  if (typeof value === "number" && Number.isSafeInteger(value)) return value;
  throw json.fault(`${name} must be a whole number`);
}

function fits(what: string, is: string | undefined, wanted: string | RegExp): void {
  const good = is !== undefined && (typeof wanted === "string" ? is === wanted : wanted.test(is));
  if (!good) throw signingError("denied", "verify signature", `the ${what} is ${JSON.stringify(is ?? "")}`);
}

function attempt<T>(code: "invalid" | "denied", op: string, body: () => T): T {
  try {
    return body();
  } catch (cause) {
    throw signingError(code, op, errorText(cause).slice(0, 500), { cause });
  }
}
