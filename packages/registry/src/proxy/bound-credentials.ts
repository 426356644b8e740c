// The user and password for one upstream. They go to it, and to the token servers that they are bound to: a registry that could name
// any other would get them sent wherever it likes (distribution's "bind realms", scenario 23).

import type { Credential, CredentialSource } from "@teu/distribution/client/credentials";

import type { ProxyOptions } from "./proxy-options.ts";

/** Token servers of registries that have them elsewhere. */
const KNOWN: Readonly<Record<string, readonly string[]>> = {
  "docker.io": ["auth.docker.io"],
  "registry.gitlab.com": ["gitlab.com"],
};

/** Credentials for `domain`, and for nothing else. */
export function boundCredentials(domain: string, { username, password, realms = [] }: ProxyOptions): CredentialSource {
  const credential: Credential | null =
    username === undefined || password === undefined ? null : { username, password };
  const hosts = new Set([domain, ...(KNOWN[domain] ?? []), ...realms]);
  return {
    find: async (_scope, host) => (host === domain ? credential : null),
    mayGoTo: (host, realm) => host === domain && hosts.has(realm.host),
  };
}
