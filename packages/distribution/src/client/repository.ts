// A repository on a registry, and the rights that requests to it need.

import type { Digest } from "@teu/image/digest";

import type { TokenScope } from "../wire/token-scope.ts";

/** Domain and path of a reference; a `Reference` is one too. */
export interface RepositoryName {
  readonly domain: string;
  readonly repository: string;
}

/** Content by digest, as far as a transfer needs to know it. A `Descriptor` fits once its digest was parsed. */
export interface BlobDescriptor {
  readonly digest: Digest;
  readonly size: number;
}

/** The right to do `actions` in a repository. */
export function accessTo(name: RepositoryName, ...actions: readonly ("pull" | "push" | "delete")[]): TokenScope[] {
  return [{ type: "repository", name: name.repository, actions }];
}

/** For errors: "docker.io/library/busybox". */
export function nameText(name: RepositoryName): string {
  return `${name.domain}/${name.repository}`;
}
