// A policy in front of a pull or a copy: the function that either returns or throws before any blob is asked for.

import type { Scope } from "@teu/base/scope";

import type { SignedImage } from "../claim.ts";
import type { SignaturePlace } from "../signature-place.ts";
import { findPolicy, policyFiles, readPolicy } from "./policy-file.ts";
import type { PolicySubject } from "./policy-scopes.ts";

/** Throws for an image that may not be used. */
export type PolicyGate = (scope: Scope, documents: readonly SignedImage[]) => Promise<void>;

/** Which policy counts. */
export interface PolicyChoice {
  /** The user's directory, where the first policy is looked for. */
  readonly home: string | undefined;
  /** Instead of those of the host; it has to be there. */
  readonly file?: string;
}

/** The gate for one image; undefined when the host has no policy, and everything is taken. @throws TeuError for a policy that cannot be read. */
export async function policyGate(
  { home, file }: PolicyChoice,
  subject: PolicySubject,
  place: SignaturePlace,
): Promise<PolicyGate | undefined> {
  const policy = file === undefined ? await findPolicy(policyFiles(home)) : await readPolicy(file);
  if (policy === null) return undefined;
  // Ciphers take some milliseconds to load, and most hosts have no policy.
  const { enforcePolicy } = await import("./enforce-policy.ts");
  return (scope, documents) => enforcePolicy(scope, policy, { subject, documents, place });
}
