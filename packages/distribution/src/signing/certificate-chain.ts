// Whether an authority that is trusted has issued a signer's certificate, at some time.

import type { SignerCertificate } from "./signer-certificate.ts";
import { signingError } from "./signing-error.ts";

/** Certificates between signer and root. */
const LONGEST = 5;
/** Signatures that are checked at most: certificates of one name and many keys could ask for any number. */
const MOST_CHECKS = 100;
const DIGITAL_SIGNATURE = 0x80;
const SIGNS_CERTIFICATES = 0x04;

/** Whom a certificate may come from. */
export interface Authorities {
  readonly roots: readonly SignerCertificate[];
  /** Believed only when a root, or one of these below a root, has issued them. */
  readonly intermediates: readonly SignerCertificate[];
}

/** @throws TeuError `denied`. */
export function verifyChain(leaf: SignerCertificate, { roots, intermediates }: Authorities, at: Date): void {
  if (leaf.mayIssue !== null) throw refused("the certificate is an authority's, not a signer's");
  if (leaf.codeSigning !== "yes") throw refused("the certificate is not for signing code");
  if (leaf.keyUsage !== null && (leaf.keyUsage & DIGITAL_SIGNATURE) === 0)
    throw refused("the certificate's key is not for signatures");
  if (!isValid(leaf, at)) throw refused(`the certificate was not valid at ${at.toISOString()}`);
  let checks = 0;
  const issued = (issuer: SignerCertificate, child: SignerCertificate, below: number): boolean => {
    if (issuer.mayIssue === null || issuer.mayIssue < below || issuer.codeSigning === "no") return false;
    if (issuer.keyUsage !== null && (issuer.keyUsage & SIGNS_CERTIFICATES) === 0) return false;
    if (!isValid(issuer, at) || !child.x509.checkIssued(issuer.x509)) return false;
    checks += 1;
    if (checks > MOST_CHECKS) throw refused("its certificates ask for too much work");
    return child.x509.verify(issuer.x509.publicKey);
  };
  const reaches = (child: SignerCertificate, below: number): boolean =>
    roots.some((root) => issued(root, child, below)) ||
    (below < LONGEST && intermediates.some((one) => issued(one, child, below) && reaches(one, below + 1)));
  if (!reaches(leaf, 0)) throw refused("no trusted authority has issued the certificate");
}

function isValid({ x509 }: SignerCertificate, at: Date): boolean {
  return x509.validFromDate <= at && at <= x509.validToDate;
}

function refused(message: string): Error {
  return signingError("denied", "verify certificate", message);
}
