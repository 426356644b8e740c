// What somebody who opens a registry to a network should know. Pure; whoever starts the registry says it.

import { isLoopback } from "@teu/distribution/client/loopback";

/** What is told of a registry. */
export interface Exposure {
  /** "HOST:PORT" that it listens on. */
  readonly address: string;
  /** Whether strangers are kept from changing anything. */
  readonly authenticated: boolean;
  readonly secure: boolean;
}

/** Warnings, one sentence each; none on loopback. */
export function exposureWarnings({ address, authenticated, secure }: Exposure): string[] {
  if (isLoopback(address.slice(0, address.lastIndexOf(":")))) return [];
  return [
    ...(authenticated ? [] : [`everybody who reaches ${address} can push and delete: give --htpasswd, or --read-only`]),
    ...(secure
      ? []
      : [
          `what goes to ${address} is not encrypted${authenticated ? ", passwords neither" : ""}: give --tls-cert and --tls-key`,
        ]),
  ];
}
