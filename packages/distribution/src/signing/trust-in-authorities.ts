// Trust in certificates as policies name them: authorities and names, and for Fulcio's the log that says when. Under a tag, as
// containers/image reads them, and in bundles.

import { bundleClaim, isSignedBy, loggedContent, readBundle } from "./bundle.ts";
import { verifyBundleEntries } from "./bundle-log-entry.ts";
import { type Authorities, verifyChain } from "./certificate-chain.ts";
import type { SignatureClaim, SignedImage } from "./claim.ts";
import type { FoundSignature } from "./find-signatures.ts";
import { parsePem, parsePemBlocks } from "./pem.ts";
import type { PublicKey } from "./public-key.ts";
import { LOG_ANNOTATION, verifyLogEntry } from "./rekor-entry.ts";
import { readCertificate, type SignerCertificate } from "./signer-certificate.ts";
import { signingError } from "./signing-error.ts";
import { readSimpleSigning } from "./simple-signing.ts";
import { type JsonObject, StrictJson } from "./strict-json.ts";
import type { SignatureTrust } from "./verify-image.ts";

/** Who has to have signed; all that is not null. */
export interface WantedSigner {
  readonly oidcIssuer: string | null;
  readonly email: string | null;
  readonly hostname: string | null;
}

/** Annotation of a payload's descriptor: the signer's certificate. */
export const CERTIFICATE_ANNOTATION = "dev.sigstore.cosign/certificate";
/** The same for those between it and a root. */
export const CHAIN_ANNOTATION = "dev.sigstore.cosign/chain";
const MOST_CERTIFICATES = 10;

type TagFound = Extract<FoundSignature, { format: "tag" }>;

/** `now`: null takes the time at which a log has recorded the signature. */
export function trustInAuthorities(
  authorities: Authorities,
  wanted: WantedSigner,
  logs: readonly PublicKey[] | null,
  now: Date | null,
): SignatureTrust {
  return {
    verify: (found, image) => {
      if (found.format === "unreadable") throw found.fault;
      const shown = found.format === "bundle" ? ofBundle(found.bytes, image) : ofTag(found, image);
      const leaf = readCertificate(shown.certificate);
      if (!shown.isSignedBy(leaf.key)) throw refused("it was not made by its certificate's key");
      const logged = logs === null ? null : shown.loggedAt(logs, leaf.key);
      const at = now ?? logged;
      if (at === null) throw refused("nothing says when it was made");
      verifyChain(leaf, { ...authorities, intermediates: [...authorities.intermediates, ...shown.between()] }, at);
      checkSigner(leaf, wanted);
      return shown.claim();
    },
  };
}

/** A signature with its certificate, unverified. */
interface Shown {
  readonly certificate: Buffer;
  /** Between it and a root. */
  between(): readonly SignerCertificate[];
  isSignedBy(key: PublicKey): boolean;
  /** When one of the logs has recorded it; null: nothing says that. @throws TeuError when none has. */
  loggedAt(logs: readonly PublicKey[], key: PublicKey): Date | null;
  /** What it says once it is verified. */
  claim(): SignatureClaim;
}

function ofTag(found: TagFound, image: SignedImage): Shown {
  const { annotations, payload } = found;
  const signature = Buffer.from(found.signature, "base64");
  if (signature.toString("base64") !== found.signature)
    throw signingError("invalid", "read signature", "the signature is not base64");
  const text = annotations[CERTIFICATE_ANNOTATION];
  if (text === undefined) throw refused("it has no certificate");
  const { label, bytes: certificate } = parsePem(text, "certificate");
  if (label !== "CERTIFICATE") throw signingError("invalid", "read certificate", `it is a ${label}`);
  return {
    certificate,
    between: () => {
      const chain = annotations[CHAIN_ANNOTATION];
      return chain === undefined ? [] : readCertificates(chain, MOST_CERTIFICATES);
    },
    isSignedBy: (key) => key.verifies(payload, signature),
    loggedAt: (logs, key) => {
      const entry = annotations[LOG_ANNOTATION];
      if (entry === undefined) throw refused("it has no log entry");
      return verifyLogEntry(entry, logs, { payload, signature, key, certificate });
    },
    claim: () => readSimpleSigning(payload, image),
  };
}

function ofBundle(bytes: Uint8Array, image: SignedImage): Shown {
  const { content, document } = readBundle(bytes);
  const [certificate, ...chain] = bundleCertificates(document);
  if (certificate === undefined) throw refused("it has no certificate");
  return {
    certificate,
    between: () => chain.map(readCertificate),
    isSignedBy: (key) => isSignedBy(content, key, image),
    loggedAt: (logs, key) =>
      verifyBundleEntries(document, logs, { ...loggedContent(content, image), key, certificate }),
    claim: () => bundleClaim(content, image),
  };
}

/** The signer's first, then those between it and a root; none: it is of a key. */
function bundleCertificates(document: JsonObject): readonly Buffer[] {
  const json = new StrictJson("sigstore bundle");
  const material = json.object(document["verificationMaterial"], "verificationMaterial");
  // One of three, or two readers could see two signers.
  const named = ["publicKey", "certificate", "x509CertificateChain"].filter((name) => material[name] !== undefined);
  if (named.length !== 1) throw json.fault(`verificationMaterial has ${named.length} signers, want one`);
  const derOf = (value: unknown): Buffer => json.base64(json.object(value, "certificate")["rawBytes"], "rawBytes");
  if (material["certificate"] !== undefined) return [derOf(material["certificate"])];
  if (material["publicKey"] !== undefined) return [];
  const chain = json.object(material["x509CertificateChain"], "x509CertificateChain");
  const certificates = json.array(chain["certificates"], "certificates");
  if (certificates.length > MOST_CERTIFICATES)
    throw json.fault(`${certificates.length} certificates, limit is ${MOST_CERTIFICATES}`);
  return certificates.map(derOf);
}

/** The certificates in a PEM file, at least one. @throws TeuError `invalid`. */
export function readCertificates(pem: string, most: number): readonly SignerCertificate[] {
  return parsePemBlocks(pem, "certificates", most).map(({ label, bytes }) => {
    if (label !== "CERTIFICATE") throw signingError("invalid", "read certificates", `one is a ${label}`);
    return readCertificate(bytes);
  });
}

function checkSigner(leaf: SignerCertificate, { oidcIssuer, email, hostname }: WantedSigner): void {
  if (oidcIssuer === null && email === null && hostname === null) throw refused("nobody in particular is wanted");
  if (oidcIssuer !== null && leaf.oidcIssuer !== oidcIssuer)
    throw refused(`the certificate's OIDC issuer is ${JSON.stringify((leaf.oidcIssuer ?? "").slice(0, 300))}`);
  if (email !== null && !leaf.emails.includes(email))
    throw refused(`the certificate's e-mail addresses are ${JSON.stringify(leaf.emails).slice(0, 300)}`);
  const options = { subject: "never", partialWildcards: false } as const;
  if (hostname !== null && leaf.x509.checkHost(hostname, options) === undefined)
    throw refused("the certificate is of another host");
}

function refused(message: string): Error {
  return signingError("denied", "verify signature", message);
}
