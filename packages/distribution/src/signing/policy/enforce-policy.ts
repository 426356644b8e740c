// Whether a policy takes an image, decided on the documents that will be used: an index and the manifest in it that was chosen. A
// signature of the index covers everything in it; one of the manifest covers what is taken.

import { errorText, isTeuError, TeuError } from "@teu/base/errors";
import type { Scope } from "@teu/base/scope";
import type { Digest } from "@teu/image/digest";

import type { SignatureClaim, SignedImage } from "../claim.ts";
import { findGpgSignatures, type GpgSignature } from "../find-gpg-signatures.ts";
import { findSignatures, type FoundSignature } from "../find-signatures.ts";
import { LARGEST_KEYRING } from "../gpg/limits.ts";
import { readLimitedFile } from "../limited-file.ts";
import { LARGEST_KEY_FILE } from "../pem.ts";
import { parsePublicKey, type PublicKey } from "../public-key.ts";
import type { SignaturePlace } from "../signature-place.ts";
import { signingError } from "../signing-error.ts";
import type { SignerCertificate } from "../signer-certificate.ts";
import { readCertificates, trustInAuthorities } from "../trust-in-authorities.ts";
import {
  type RejectedSignature,
  type SignatureTrust,
  trustInKeys,
  type Verification,
  verifySignatures,
} from "../verify-image.ts";
import { type PolicySubject, requirementsFor } from "./policy-scopes.ts";
import type { KeySource, PolicyRequirement, SignaturePolicy, SignedBy, SigstoreSigned } from "./policy.ts";
import { fitsIdentity } from "./signed-identity.ts";

/** An image that is about to be used. */
export interface PolicyQuestion {
  readonly subject: PolicySubject;
  /** What its name stands for first, then, through indexes, what was chosen. Verified against their digests. */
  readonly documents: readonly SignedImage[];
  readonly place: SignaturePlace;
}

/**
 * Returns when the policy takes the image; everything else is an error.
 * @throws TeuError `denied` when it does not, `unsupported` when that cannot be found out here, or what went wrong.
 */
export async function enforcePolicy(scope: Scope, policy: SignaturePolicy, question: PolicyQuestion): Promise<void> {
  const { requirements, where } = requirementsFor(policy, question.subject);
  const { place } = question;
  const signatures: Signatures = {
    sigstore: once((digest) => findSignatures(scope, place, digest)),
    gpg: once((digest) => findGpgSignatures(scope, place, digest)),
  };
  for (const requirement of requirements) {
    try {
      await enforce(requirement, question, signatures);
    } catch (cause) {
      if (!isTeuError(cause) || !OWN.has(cause.code)) throw cause;
      throw new TeuError({
        code: cause.code,
        op: "use image",
        subject: question.subject.text,
        message: `the signature policy does not take it (${policy.file}, ${where}): ${cause.what}`,
        detail: { policy: policy.file, scope: where, ...cause.detail },
        ...(cause.hint === undefined ? {} : { hint: cause.hint }),
      });
    }
  }
}

/** Certificates in a file of authorities. */
const MOST_AUTHORITIES = 20;
const OWN: ReadonlySet<string> = new Set(["denied", "unsupported", "invalid", "exhausted"]);

type Finder<Found> = (image: Digest) => Promise<readonly Found[]>;

/** Those of an image, of each kind; looked for when a requirement asks for that kind. */
interface Signatures {
  readonly sigstore: Finder<FoundSignature>;
  readonly gpg: Finder<GpgSignature>;
}

// Several requirements ask for the same signatures.
function once<Found>(find: Finder<Found>): Finder<Found> {
  const found = new Map<Digest, readonly Found[]>();
  return async (digest) => {
    const known = found.get(digest) ?? (await find(digest));
    found.set(digest, known);
    return known;
  };
}

async function enforce(
  requirement: PolicyRequirement,
  question: PolicyQuestion,
  signatures: Signatures,
): Promise<void> {
  if (requirement.type === "insecureAcceptAnything") return;
  if (requirement.type === "reject") throw refused("it rejects everything here");
  if (requirement.type === "unevaluable") {
    throw signingError("unsupported", "evaluate signature policy", `${requirement.what} cannot be verified here`, {
      hint: "use sigstoreSigned, or another tool for these images",
    });
  }
  const verify = await verifier(requirement, question.subject, signatures);
  const rejected: RejectedSignature[] = [];
  for (const image of question.documents) {
    const result = await verify(image);
    if (result.accepted.length > 0) return;
    rejected.push(...result.rejected);
  }
  if (rejected.length === 0) throw refused("it has no signature");
  throw refused(`none of its signatures counts: ${summary(rejected)}`);
}

/** Looks for what the requirement asks for, and verifies it. */
async function verifier(
  requirement: SigstoreSigned | SignedBy,
  subject: PolicySubject,
  { sigstore, gpg }: Signatures,
): Promise<(image: SignedImage) => Promise<Verification>> {
  const accept = acceptedBy(requirement, subject);
  if (requirement.type === "sigstoreSigned") {
    const trust = await trustOf(requirement);
    return async (image) => verifySignatures(await sigstore(image.descriptor.digest), image, trust, accept);
  }
  // OpenPGP takes a while to load, and few hosts need it.
  const { trustInKeyrings } = await import("../gpg/trust-in-keyrings.ts");
  const keyrings = await Promise.all(requirement.keys.map((key) => readBytes(key, "keyring", LARGEST_KEYRING)));
  const trust = await trustInKeyrings(keyrings, new Date());
  return async (image) => verifySignatures(await gpg(image.descriptor.digest), image, trust, accept);
}

async function trustOf({ authority, keys, logs }: SigstoreSigned): Promise<SignatureTrust> {
  const trustedLogs = logs.length === 0 ? null : await readKeys(logs);
  if (authority === null) return trustInKeys(await readKeys(keys), trustedLogs);
  const { kind, roots, intermediates, signer } = authority;
  const authorities = {
    roots: await readAuthorities(roots),
    intermediates: intermediates === null ? [] : await readAuthorities(intermediates),
  };
  return trustInAuthorities(authorities, signer, trustedLogs, kind === "fulcio" ? null : new Date());
}

function acceptedBy({ signedIdentity }: SigstoreSigned | SignedBy, { reference }: PolicySubject) {
  return (claim: SignatureClaim): string | null => {
    if (fitsIdentity(signedIdentity, reference, claim.reference)) return null;
    if (claim.reference === null) return "it does not say which repository the image is of, as cosign 3's bundles";
    return `it is for ${JSON.stringify(claim.reference.slice(0, 300))}, which is not what ${signedIdentity.type} wants`;
  };
}

/** Why signatures did not count, the first few of them. */
export function summary(rejected: readonly RejectedSignature[]): string {
  const reasons = new Map<string, number>();
  for (const { reason } of rejected) reasons.set(reason.what, (reasons.get(reason.what) ?? 0) + 1);
  const lines = [...reasons].map(([reason, count]) => (count === 1 ? reason : `${reason} (${count} times)`));
  return lines.slice(0, 5).join("; ") + (lines.length > 5 ? `; and ${lines.length - 5} other reasons` : "");
}

async function readKeys(sources: readonly KeySource[]): Promise<PublicKey[]> {
  return Promise.all(sources.map(readKey));
}

async function readKey(source: KeySource): Promise<PublicKey> {
  return parsePublicKey(await readText(source, "key"));
}

async function readAuthorities(source: KeySource): Promise<readonly SignerCertificate[]> {
  return readCertificates(await readText(source, "authority"), MOST_AUTHORITIES);
}

async function readText(source: KeySource, what: string): Promise<string> {
  return Buffer.from(await readBytes(source, what, LARGEST_KEY_FILE)).toString("utf8");
}

async function readBytes(source: KeySource, what: string, limit: number): Promise<Uint8Array> {
  if ("data" in source) return source.data;
  try {
    return await readLimitedFile(source.path, limit);
  } catch (cause) {
    throw refused(`its ${what} cannot be read: ${errorText(cause)}`);
  }
}

function refused(message: string): TeuError {
  return signingError("denied", "evaluate signature policy", message);
}
