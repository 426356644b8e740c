// Which requirements of a policy are for an image: those of the most specific scope that fits, and no others.

import { type Reference, referenceName } from "@teu/image/reference";

import type { PolicyRequirements, SignaturePolicy } from "./policy.ts";

/** An image as policies name it. */
export interface PolicySubject {
  /** "docker", "oci", "dir" ... */
  readonly transport: string;
  /** For errors: what the user wrote. */
  readonly text: string;
  /** The full name on a registry; null elsewhere. */
  readonly reference: Reference | null;
  /** Scopes, the most specific first. */
  readonly scopes: readonly string[];
}

/** What applies, and where in the policy it stands. */
export interface ChosenRequirements {
  readonly requirements: PolicyRequirements;
  readonly where: string;
}

/** The image that a reference names, on its registry: mirrors do not matter. */
export function registrySubject(reference: Reference, text: string): PolicySubject {
  return { transport: "docker", text, reference, scopes: registryScopes(reference) };
}

/** An image of a Docker daemon, by its name; by its id (null) it has no scopes. */
export function daemonSubject(reference: Reference | null, text: string): PolicySubject {
  const scopes = reference === null ? [] : registryScopes(reference);
  return { transport: "docker-daemon", text, reference, scopes };
}

/**
 * An image in a file or directory with absolute, resolved path. Which one in it does not matter: the same image can be named in
 * several ways, and without a name (containers/image decides so, too, whatever its manual page says).
 */
export function fileSubject(transport: string, text: string, path: string): PolicySubject {
  const scopes: string[] = [];
  for (let at = path; at !== "" && at !== "/"; at = at.slice(0, at.lastIndexOf("/"))) scopes.push(at);
  return { transport, text, reference: null, scopes };
}

/** Chooses. */
export function requirementsFor(policy: SignaturePolicy, { transport, scopes }: PolicySubject): ChosenRequirements {
  const known = policy.transports.get(transport);
  for (const scope of [...scopes, ""]) {
    const requirements = known?.get(scope);
    if (requirements !== undefined)
      return { requirements, where: scope === "" ? `${transport}:` : `${transport}:${scope}` };
  }
  return { requirements: policy.fallback, where: "default" };
}

// The image, its repository, the namespaces above it, the host, and the domains above that, as "*.example.com".
function registryScopes(reference: Reference): string[] {
  const { domain, tag, digest } = reference;
  const name = referenceName(reference);
  // With a digest the tag decides nothing, so a scope for the tag does not apply.
  const scopes = [digest === undefined ? `${name}:${tag ?? ""}` : `${name}@${digest}`];
  for (let at = name; ; at = at.slice(0, at.lastIndexOf("/"))) {
    scopes.push(at);
    if (!at.includes("/")) break;
  }
  if (domain.startsWith("[")) return scopes;
  let host = domain.replace(/:[0-9]+$/, "");
  for (let dot = host.indexOf("."); dot >= 0; dot = host.indexOf(".")) {
    host = host.slice(dot + 1);
    scopes.push(`*.${host}`);
  }
  return scopes;
}
