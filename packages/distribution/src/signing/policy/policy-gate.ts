// A policy in front of a pull or a copy: the function that either returns or throws before any blob is asked for.

import type { Scope } from "@teu/base/scope";

import type { SignedImage } from "../claim.ts";
import type { SignaturePlace } from "../signature-place.ts";
import { findPolicy, policyFiles, readPolicy } from "./policy-file.ts";
import { type PolicySubject, requirementsFor } from "./policy-scopes.ts";
import type { SignaturePolicy } from "./policy.ts";

/** Throws for an image that may not be used. */
export type PolicyGate = (scope: Scope, documents: readonly SignedImage[]) => Promise<void>;

/** Which policy counts. */
export interface PolicyChoice {
  /** The user's directory, where the first policy is looked for. */
  readonly home: string | undefined;
  /** Instead of those of the host; it has to be there. */
  readonly file?: string;
}

/** The gate for one image; undefined when everything is taken: the host has no policy, or that says so. @throws TeuError for a policy that cannot be read. */
export async function policyGate(
  { home, file }: PolicyChoice,
  subject: PolicySubject,
  place: SignaturePlace,
): Promise<PolicyGate | undefined> {
  const policy = file === undefined ? await findPolicy(policyFiles(home)) : await readPolicy(file);
  if (policy === null || acceptsAll(policy, subject)) return undefined;
  // What verifies signatures takes some milliseconds to load.
  const { enforcePolicy } = await import("./enforce-policy.ts");
  return (scope, documents) => enforcePolicy(scope, policy, { subject, documents, place });
}

/** As the policy that most hosts have, from the package of Podman, has it. */
function acceptsAll(policy: SignaturePolicy, subject: PolicySubject): boolean {
  return requirementsFor(policy, subject).requirements.every(({ type }) => type === "insecureAcceptAnything");
}
