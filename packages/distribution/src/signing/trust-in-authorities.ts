// Trust in certificates as policies name them: authorities and names, and for Fulcio's the log that says when. Of signatures under a
// tag only; containers/image reads no others.

import { parsePem, parsePemBlocks } from "./pem.ts";
import { type Authorities, verifyChain } from "./certificate-chain.ts";
import type { PublicKey } from "./public-key.ts";
import { LOG_ANNOTATION, verifyLogEntry } from "./rekor-entry.ts";
import { readCertificate, type SignerCertificate } from "./signer-certificate.ts";
import { signingError } from "./signing-error.ts";
import { readSimpleSigning } from "./simple-signing.ts";
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
      if (found.format === "bundle")
        throw signingError("unsupported", "verify signature", "certificates in bundles are not taken for policies");
      const { annotations, payload } = found;
      const signature = Buffer.from(found.signature, "base64");
      if (signature.toString("base64") !== found.signature)
        throw signingError("invalid", "read signature", "the signature is not base64");
      const text = annotations[CERTIFICATE_ANNOTATION];
      if (text === undefined) throw refused("it has no certificate");
      const { label, bytes } = parsePem(text, "certificate");
      if (label !== "CERTIFICATE") throw signingError("invalid", "read certificate", `it is a ${label}`);
      const leaf = readCertificate(bytes);
      if (!leaf.key.verifies(payload, signature)) throw refused("it was not made by its certificate's key");
      let logged: Date | null = null;
      if (logs !== null) {
        const entry = annotations[LOG_ANNOTATION];
        if (entry === undefined) throw refused("it has no log entry");
        logged = verifyLogEntry(entry, logs, { payload, signature, key: leaf.key, certificate: bytes });
      }
      const at = now ?? logged;
      if (at === null) throw refused("nothing says when it was made");
      const chain = annotations[CHAIN_ANNOTATION];
      const between = chain === undefined ? [] : readCertificates(chain, MOST_CERTIFICATES);
      verifyChain(leaf, { ...authorities, intermediates: [...authorities.intermediates, ...between] }, at);
      checkSigner(leaf, wanted);
      return readSimpleSigning(payload, image);
    },
  };
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
