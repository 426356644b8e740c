// Sigstore bundles (sigstore_bundle.proto as JSON): a signature with what is needed to verify it. Of an image it is either a DSSE
// envelope around a statement, which cosign 3 and we write, or a signature of the manifest's own bytes.

import type { TeuError } from "@teu/base/errors";

import { isDigestOf, type SignatureClaim, type SignedImage } from "./claim.ts";
import type { PrivateKey } from "./private-key.ts";
import type { PublicKey } from "./public-key.ts";
import type { LoggedSignature } from "./rekor-entry.ts";
import { signingError } from "./signing-error.ts";
import { readSignStatement, STATEMENT_PAYLOAD } from "./statement.ts";
import { type JsonObject, StrictJson } from "./strict-json.ts";

/** Media type of new bundles, and artifact type of the manifests that hold them. */
export const BUNDLE: string = "application/vnd.dev.sigstore.bundle.v0.3+json";
/** Largest bundle that is read: certificates, log entries and timestamps come to some 20 KB. */
export const LARGEST_BUNDLE: number = 256 << 10;

const MEDIA_TYPE = /^application\/vnd\.dev\.sigstore\.bundle(?:\.v0\.3\+json|\+json;version=0\.[123])$/;
const MESSAGE = "a signature of the manifest";

/** What is signed in a bundle. */
export type BundleContent =
  | { readonly kind: "statement"; readonly payload: Buffer; readonly signature: Buffer }
  | {
      readonly kind: "message";
      readonly signature: Buffer;
      /** What it is a signature of, if it says so. */ readonly digest: string | null;
    };

/** A bundle as far as keys need it. */
export interface Bundle {
  readonly content: BundleContent;
  /** The whole document, for what verifies certificates and logs. */
  readonly document: JsonObject;
}

/** Whether a media type is that of a bundle which can be read. */
export function isBundleType(mediaType: string | undefined): boolean {
  return mediaType !== undefined && MEDIA_TYPE.test(mediaType);
}

/** A new bundle around a statement. */
export function writeBundle(statement: Uint8Array, key: PrivateKey): Buffer {
  const signature = key.sign(preAuthentication(STATEMENT_PAYLOAD, statement));
  const document = {
    mediaType: BUNDLE,
    verificationMaterial: { publicKey: { hint: key.publicKey.hint } },
    dsseEnvelope: {
      payload: Buffer.from(statement).toString("base64"),
      payloadType: STATEMENT_PAYLOAD,
      signatures: [{ sig: signature.toString("base64") }],
    },
  };
  return Buffer.from(JSON.stringify(document));
}

/** @throws TeuError `invalid`; `unsupported` for payloads that are no statements. */
export function readBundle(bytes: Uint8Array): Bundle {
  const json = new StrictJson("sigstore bundle");
  const document = json.parse(bytes, LARGEST_BUNDLE);
  const mediaType = json.text(document["mediaType"], "mediaType");
  if (!isBundleType(mediaType)) throw json.fault(`mediaType is ${JSON.stringify(mediaType.slice(0, 100))}`);
  json.object(document["verificationMaterial"], "verificationMaterial");
  const { dsseEnvelope, messageSignature } = document;
  if ((dsseEnvelope === undefined) === (messageSignature === undefined))
    throw json.fault("it must have one of dsseEnvelope and messageSignature");
  const content =
    dsseEnvelope === undefined
      ? readMessage(json, json.object(messageSignature, "messageSignature"))
      : readEnvelope(json, json.object(dsseEnvelope, "dsseEnvelope"));
  return { content, document };
}

/** What a bundle says of the image, signed by the key. @throws TeuError `denied` for another key's signature, `invalid`. */
export function verifyBundle({ content }: Bundle, key: PublicKey, image: SignedImage): SignatureClaim {
  if (!isSignedBy(content, key, image)) throw notByKey();
  return bundleClaim(content, image);
}

/** Whether the key has made the signature. */
export function isSignedBy(content: BundleContent, key: PublicKey, image: SignedImage): boolean {
  const message =
    content.kind === "statement" ? preAuthentication(STATEMENT_PAYLOAD, content.payload) : Buffer.from(image.bytes);
  return key.verifies(message, content.signature);
}

/** What a log entry of the bundle has to be about, but for the key. */
export function loggedContent(content: BundleContent, image: SignedImage): Omit<LoggedSignature, "key"> {
  const { signature } = content;
  if (content.kind === "statement") return { payload: content.payload, signature, isEnvelope: true };
  return { payload: image.bytes, signature };
}

/** What a bundle says whose signature was verified. @throws TeuError `invalid` when it is of another image. */
export function bundleClaim(content: BundleContent, image: SignedImage): SignatureClaim {
  if (content.kind === "statement") return readSignStatement(content.payload, image);
  if (content.digest !== null && !isDigestOf(content.digest, image))
    throw signingError("invalid", "read sigstore bundle", `it is of something else, ${content.digest.slice(0, 140)}`);
  return { type: MESSAGE, reference: null, digest: image.descriptor.digest, annotations: {} };
}

/** The signature was made by nobody of those who are trusted. */
export function notByKey(): TeuError {
  return signingError("denied", "verify signature", "it was not made by this key", { detail: { otherKey: true } });
}

// DSSE's "pre-authentication encoding": the payload's type is signed too, so nothing can be passed off as something else.
function preAuthentication(type: string, payload: Uint8Array): Buffer {
  return Buffer.concat([Buffer.from(`DSSEv1 ${Buffer.byteLength(type)} ${type} ${payload.length} `), payload]);
}

function readEnvelope(json: StrictJson, envelope: JsonObject): BundleContent {
  const type = json.text(envelope["payloadType"], "payloadType");
  if (type !== STATEMENT_PAYLOAD) throw json.fault(`payloadType is ${JSON.stringify(type.slice(0, 100))}`);
  const signatures = json.array(envelope["signatures"], "signatures");
  // The bundle's specification allows exactly one.
  if (signatures.length !== 1) throw json.fault(`its envelope has ${signatures.length} signatures, want one`);
  const { sig } = json.object(signatures[0], "signature");
  return {
    kind: "statement",
    payload: json.base64(envelope["payload"], "payload"),
    signature: json.base64(sig, "sig"),
  };
}

function readMessage(json: StrictJson, message: JsonObject): BundleContent {
  const signature = json.base64(message["signature"], "messageSignature.signature");
  if (message["messageDigest"] === undefined) return { kind: "message", signature, digest: null };
  const { algorithm, digest } = json.object(message["messageDigest"], "messageDigest");
  if (algorithm !== "SHA2_256") throw json.fault(`messageDigest.algorithm is ${JSON.stringify(algorithm)}`);
  return {
    kind: "message",
    signature,
    digest: `sha256:${json.base64(digest, "messageDigest.digest").toString("hex")}`,
  };
}
